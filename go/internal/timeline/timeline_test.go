package timeline

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"microvm-console/internal/journal"
	"microvm-console/internal/kevent"
	"microvm-console/internal/verdict"
)

var began = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// sample is a boot with everything that a picture can have.
func sample() Boot {
	return Boot{
		Title: "demo", Start: began, End: after(8), Ended: "panicked: no root",
		Consoles: []Console{{"ttyS0", []Output{{after(1), 20}, {after(3), 4000}}}, {"hvc0", nil}},
		Marks:    []Mark{{after(1), "first byte on ttyS0"}, {after(1), "kernel"}, {after(7.9), "login on hvc0"}},
		Events:   []Event{{after(2), "warning: one", false}, {after(8), "panic: no root", true}},
		Checks:   []Check{{"boots", after(0), after(4), true}, {"works", after(4), after(8), false}},
	}
}

// element is a text of a picture, with its place.
type element struct {
	text, anchor string
	x            float64
}

// texts returns the texts of a picture. It fails unless the picture is well-formed XML, in which no
// text is beyond the sides.
func texts(t *testing.T, boot Boot) []string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, boot); err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsFunc(out.Bytes(), func(char rune) bool { return char != '\n' && !unicode.IsPrint(char) }) {
		t.Errorf("characters that do not print: %q", out.String())
	}
	var all []string
	var now element
	for decoder := xml.NewDecoder(&out); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !slices.Contains([]string{"svg", "title", "style", "rect", "line", "path", "circle", "text"}, token.Name.Local) {
				t.Errorf("element %s", token.Name.Local)
			}
			now = element{}
			for _, attribute := range token.Attr {
				switch attribute.Name.Local {
				case "text-anchor":
					now.anchor = attribute.Value
				case "x":
					now.x, _ = strconv.ParseFloat(attribute.Value, 64)
				}
			}
		case xml.CharData:
			if now.anchor == "" {
				continue
			}
			now.text = string(token)
			all = append(all, now.text)
			from := now.x
			switch now.anchor {
			case "middle":
				from -= wide(now.text) / 2
			case "end":
				from -= wide(now.text)
			}
			if from < 0 || from+wide(now.text) > Width+1 {
				t.Errorf("beyond the sides: %q from %.0f", now.text, from)
			}
		case xml.EndElement:
			now = element{}
		}
	}
}

func TestWrite(t *testing.T) {
	got := texts(t, sample())
	for _, want := range []string{
		"demo", "8.00 s, panicked: no root", "QEMU starts", "first byte on ttyS0, 1.00 s", "kernel, 1.00 s", "login on hvc0, 7.90 s", "panicked, 8.00 s",
		"ttyS0", "4.0 kB", "hvc0", "0 B", "0 s", "8 s", "warning: one, 2.00 s", "panic: no root, 8.00 s", "boots, 4.00 s", "failed: works, 4.00 s",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no text %q among %q", want, got)
		}
	}
	var one, two bytes.Buffer
	if err := errors.Join(Write(&one, sample()), Write(&two, sample())); err != nil || one.String() != two.String() {
		t.Errorf("two pictures of a boot differ, %v", err)
	}
}

// What a guest prints cannot break the picture.
func TestWriteHostile(t *testing.T) {
	for _, text := range []string{
		"</text><script>alert(1)</script>", `"&'<>]]>`, "\x1b[2J\x00\r\n\u202e\ufeff", "\xff\xfe", strings.Repeat("長い名前", 100), strings.Repeat("W", 1000), "",
	} {
		boot := sample()
		boot.Title, boot.Ended = text, text
		for i := range 100 {
			at := after(float64(i) / 12)
			boot.Marks = append(boot.Marks, Mark{at, text})
			boot.Events = append(boot.Events, Event{at, text, i%2 == 0})
			boot.Checks = append(boot.Checks, Check{text, at, at, i != 90})
		}
		boot.Consoles = append(boot.Consoles, Console{text, []Output{{after(-1), 1}, {after(100), 1 << 62}}})
		texts(t, boot)
	}
}

func TestWriteNothing(t *testing.T) {
	if got := texts(t, Boot{}); !slices.Contains(got, "QEMU starts") {
		t.Errorf("%q", got)
	}
}

// The checks that have failed are among those that a picture has.
func TestManyChecks(t *testing.T) {
	boot := sample()
	for i := range 200 {
		boot.Checks = append(boot.Checks, Check{strconv.Itoa(i), after(4), after(5), i != 190})
	}
	got := texts(t, boot)
	for _, want := range []string{"failed: works, 4.00 s", "failed: 190, 1.00 s", "and 142 more checks"} {
		if !slices.Contains(got, want) {
			t.Errorf("no text %q", want)
		}
	}
}

// A VM that continues for hours after its boot does not make the boot unreadable.
func TestLongRun(t *testing.T) {
	boot := sample()
	boot.End, boot.Ended, boot.Events, boot.Checks = after(3600), "running", nil, nil
	if got := texts(t, boot); !slices.Contains(got, "the VM continues for 59m48s") || slices.Contains(got, "running, 1h0m0s") {
		t.Errorf("%q", got)
	}
}

// No label covers another one or its line.
func TestPlace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var labels []label
		for range 1 + random.IntN(14) {
			text := strings.Repeat("m", 1+random.IntN(40))
			labels = append(labels, label{x: left + random.Float64()*(right-left), text: text, width: wide(text)})
		}
		slices.SortFunc(labels, func(one, other label) int { return int(one.x - other.x) })
		placed, rows := place(labels)
		for i, l := range placed {
			from, to := l.span()
			if l.row >= rows || from < 0 || to > Width {
				t.Fatalf("outside: %+v", l)
			}
			for _, other := range placed[:i] {
				if l.collides(other) && l.x != other.x {
					t.Fatalf("%+v covers %+v of %+v", l, other, placed)
				}
			}
		}
	}
}

func TestTick(t *testing.T) {
	for _, shown := range []time.Duration{10 * time.Millisecond, time.Second, 11 * time.Second, 100 * time.Hour, math.MaxInt64} {
		if step := tick(shown); step <= 0 || shown/step > 10 || shown/step < 2 {
			t.Errorf("%v: a time every %v", shown, step)
		}
	}
}

// recorded returns a boot in a journal that has the text, written at once. It notes that the guest
// is ready by what ready says, unless that is "".
func recorded(t *testing.T, name, text, ready string) Source {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Boot(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if ready != "" {
		j.NoteReady(ready)
	}
	for range 9 {
		j.NoteRestart()
	}
	j.EndBoot("powered off")
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		t.Fatal(err)
	}
	return Source{name, snapshot, boot}
}

const printed = "\x1b[2J[    0.000000] Linux version 6.1\r\n[    0.9] Run /init as init process\r\n" +
	"\rdemo login: root\r\n"

func TestRead(t *testing.T) {
	for _, test := range []struct {
		ready string
		marks []string
	}{
		{"login on ttyS0", []string{"first byte on ttyS0", "init", "kernel", "ready: login on ttyS0", "restart 1", "restart 2", "restart 3", "restart 9"}},
		{"agent", []string{"first byte on ttyS0", "init", "kernel", "login on ttyS0", "ready: agent", "restart 1", "restart 2", "restart 3", "restart 9"}},
		{"", []string{"first byte on ttyS0", "init", "kernel", "login on ttyS0", "restart 1", "restart 2", "restart 3", "restart 9"}},
	} {
		kernel := verdict.Result{
			Events: []verdict.Event{
				{Event: kevent.Event{Kind: kevent.Warning, Title: "bad", Function: "f", Begin: 3}, Console: "ttyS0", Treatment: verdict.Fail},
				{Event: kevent.Event{Kind: kevent.OOM, Title: "killed"}, Console: "hvc0", Treatment: verdict.Note},
				{Event: kevent.Event{Kind: kevent.Oops, Title: "no"}, Console: "hvc0", Treatment: verdict.Ignore},
			},
			Gaps: []verdict.Gap{{Console: "ttyS0", Offset: 9, Bytes: 1200, Cause: "retention"}, {Console: "hvc0", Bytes: -1, Cause: "lost"}},
		}
		boot, err := Read([]Source{recorded(t, "ttyS0", printed, test.ready), recorded(t, "hvc0", "", test.ready)}, kernel)
		if err != nil {
			t.Fatal(err)
		}
		var marks []string
		for _, mark := range boot.Marks {
			marks = append(marks, mark.Text)
			if mark.Time.Before(boot.Start) || mark.Time.After(boot.End) {
				t.Errorf("%+v is not between %v and %v", mark, boot.Start, boot.End)
			}
		}
		slices.Sort(marks)
		if !slices.Equal(marks, test.marks) {
			t.Errorf("ready by %q: marks %q, want %q", test.ready, marks, test.marks)
		}
		var events []string
		for _, event := range boot.Events {
			events = append(events, event.Text)
		}
		if want := []string{"warning: bad (f)", "oom: killed", "missing: 1.2 kB of ttyS0: retention", "missing: bytes of hvc0: lost"}; !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
		if len(boot.Consoles) != 2 || boot.Ended != "powered off" || total(boot.Consoles[0]) != int64(len(printed)) || total(boot.Consoles[1]) != 0 {
			t.Errorf("%+v", boot)
		}
		texts(t, boot)
	}
}

func total(console Console) (bytes int64) {
	for _, output := range console.Output {
		bytes += output.Bytes
	}
	return bytes
}
