package verdict_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/kevent"
	"microvm-console/internal/verdict"
)

// line returns a line of the kernel at a time in seconds.
func line(time float64, text string) string { return fmt.Sprintf("[%12.6f] %s\n", time, text) }

var (
	boot    = line(0, "Linux version 6.1") + line(0.5, "one")
	warning = line(1, "WARNING: CPU: 0 PID: 41 at drivers/fuzz.c:12 fuzz_open+0x10/0x20") + line(1.1, "---[ end trace 0000000000000000 ]---")
	oops    = line(2, "Oops: 0000 [#1] SMP") + line(2.1, "RIP: 0010:fuzz_open+0x10/0x20") + line(2.2, "---[ end trace 0000000000000000 ]---")
	end     = line(3, "end")
	fail    = verdict.Rules{Warnings: verdict.Fail}
)

// untimed returns the text as dmesg -t prints it.
func untimed(text string) string {
	var lines strings.Builder
	for l := range strings.Lines(text) {
		lines.WriteString(l[len(line(0, ""))-1:])
	}
	return lines.String()
}

// drops is what the kernel prints if its log buffer was full.
const drops = "** 97 printk messages dropped **"

// gap is a gap in the output of a console.
const gap = "\x00"

// judge returns the verdict on the output of ttyS0 and hvc0.
func judge(rules verdict.Rules, outputs ...string) verdict.Result {
	j := verdict.New(rules, "ttyS0", "hvc0")
	for i, output := range outputs {
		for k, part := range strings.Split(output, gap) {
			if k > 0 {
				j.Gap(i, 0, 5, "a test")
			}
			for _, char := range []byte(part) { // in any pieces
				j.Feed(i, []byte{char})
			}
		}
	}
	return j.Result()
}

// summary returns the verdict, and for each event its treatment, its kind and the number of copies.
func summary(r verdict.Result) string {
	text := string(r.Verdict)
	for _, e := range r.Events {
		text += fmt.Sprintf(" %s:%s", e.Treatment, e.Kind)
		if len(e.Copies) > 0 {
			text += fmt.Sprintf("+%d", len(e.Copies))
		}
	}
	return text
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	allowed := func(pattern string) verdict.Rules {
		match, err := verdict.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return verdict.Rules{Allow: []verdict.Allowance{{Match: match, Reason: "a test"}}}
	}
	for _, test := range []struct {
		name    string
		rules   verdict.Rules
		outputs []string
		want    string
	}{
		{"nothing", fail, nil, "unknown"},
		{"only one console prints", fail, []string{"", boot}, "clean"},
		{"no event", fail, []string{boot + end, boot + end}, "clean"},
		{"a warning fails", fail, []string{boot + warning + end}, "broken fail:warning"},
		{"a warning is a note", verdict.Rules{Warnings: verdict.Note}, []string{boot + warning + end}, "clean note:warning"},
		{"a warning is ignored", verdict.Rules{Warnings: verdict.Ignore}, []string{boot + warning + oops}, "broken fail:oops"},
		{"on both consoles", fail, []string{boot + oops + end, boot + oops + end}, "broken fail:oops+1"},
		{"dmesg prints it again", fail, []string{boot + oops + end + boot + oops, boot + oops}, "broken fail:oops+2"},
		{"two of a kind", fail, []string{boot + warning + strings.ReplaceAll(warning, "1.", "4.")}, "broken fail:warning fail:warning"},
		{"dmesg -t", fail, []string{boot + warning + end, "# dmesg -t\n" + untimed(warning)}, "broken fail:warning+1"},
		{"no times", fail, []string{untimed(warning + warning + warning), untimed(warning + warning)}, "broken fail:warning+1 fail:warning+1 fail:warning"},
		{"allowed by function", allowed("^warning in fuzz_open:"), []string{boot + warning + oops}, "broken allowed:warning fail:oops"},
		{"all allowed", allowed("fuzz_(open|close)"), []string{boot + warning + oops}, "clean allowed:warning allowed:oops"},
		{"a gap", fail, []string{boot + gap + end}, "unknown"},
		{"an event and a gap", fail, []string{boot + gap + oops}, "broken fail:oops"},
		{"a gap that hvc0 covers", fail, []string{boot + gap + end, boot + "x\n" + end}, "clean"},
		{"covered, with the event in the gap", fail, []string{boot + gap + end, boot + oops + end}, "broken fail:oops"},
		{"hvc0 has no line after it", fail, []string{boot + gap + end, boot}, "unknown"},
		{"hvc0 has no line before it", fail, []string{boot + gap + end, end}, "unknown"},
		{"hvc0 is not the kernel's", fail, []string{boot + gap + end, "login: \n"}, "unknown"},
		{"hvc0 has times of a program", fail, []string{boot + gap + end, "[0.500000]x\n[3.000000]y\n"}, "unknown"},
		{"with callers", fail, []string{"[    0.500000][    T1] one\n" + gap + "[    3.000000][    T1] end\n", "[    0.500000][    T1] one\n[    3.000000][    T1] end\n"}, "clean"},
		{"the same gap on both", fail, []string{boot + gap + end, boot + gap + end}, "unknown"},
		{"gaps at different times", fail, []string{boot + gap + end + line(4, "a") + line(5, "b"), boot + end + line(4, "a") + gap + line(5, "b")}, "clean"},
		{"a gap at the end", fail, []string{boot + gap, boot + end}, "clean"},
		{"a gap at the beginning", fail, []string{gap + boot, boot}, "clean"},
		{"a gap at the beginning, and a late console", fail, []string{gap + end, line(0.5, "one") + end}, "unknown"},
		{"the kernel has dropped messages", fail, []string{boot + drops + "\n" + end}, "unknown"},
		{"dropped, before Linux 5.18", fail, []string{boot + drops + " " + end}, "unknown"},
		{"dropped, after a prompt", fail, []string{boot + "/ # " + drops + "\r\n" + end}, "unknown"},
		{"dropped, and hvc0 has them", fail, []string{boot + drops + "\n" + end, boot + line(2, "two") + end}, "clean"},
		{"dropped on a late console", fail, []string{boot + end, drops + "\n" + end}, "clean"},
		{"the same are dropped on both", fail, []string{boot + drops + "\n" + end, boot + drops + "\n" + end}, "unknown"},
		{"dropped within a report", fail, []string{boot + line(2, "Oops: 0000 [#1] SMP") + drops + "\n" + line(2.1, "RIP: 0010:fuzz_open+0x10/0x20")}, "broken fail:oops"},
	} {
		if got := summary(judge(test.rules, test.outputs...)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Of two copies, the result has the one on the first console.
func TestFirstConsole(t *testing.T) {
	t.Parallel()
	j := verdict.New(fail, "ttyS0", "hvc0")
	j.Feed(1, []byte(boot+"x\n"+oops+end))
	j.Feed(0, []byte(boot+oops+end))
	r := j.Result()
	if len(r.Events) != 1 || r.Events[0].Console != "ttyS0" || len(r.Events[0].Copies) != 1 || r.Events[0].Copies[0].Console != "hvc0" {
		t.Errorf("%+v", r.Events)
	}
	if !strings.HasPrefix(oops, r.Events[0].Lines[0]+"\n") {
		t.Errorf("the first line is %q", r.Events[0].Lines[0])
	}
}

// The gap of the worse console decides, and is in the result.
func TestGaps(t *testing.T) {
	t.Parallel()
	r := judge(fail, boot+gap+end, boot+gap+end)
	at := int64(len(boot))
	want := []verdict.Gap{{"ttyS0", at, 5, "a test"}, {"hvc0", at, 5, "a test"}}
	if diff := cmp.Diff(want, r.Gaps); diff != "" {
		t.Error(diff)
	}
	if want := fmt.Sprintf("unknown: 5 bytes are missing on ttyS0 before offset %d (a test)\n", at); !strings.HasPrefix(r.Err().Error(), want) {
		t.Error(r.Err())
	}
	if r := judge(fail); !r.Empty() || r.Err().Error() != "unknown: no console has printed anything" {
		t.Errorf("without output: %v", r.Err())
	}
	r = judge(fail, boot+gap+end, boot+"x\n"+end)
	if diff := cmp.Diff([]verdict.Gap{{"ttyS0", at, 5, "a test"}}, r.Covered); diff != "" || r.Gaps != nil {
		t.Errorf("%s, gaps %+v", diff, r.Gaps)
	}
	if got, want := r.Notes(), fmt.Sprintf("the kernel's log: 5 bytes are missing on ttyS0 before offset %d (a test), but another console has the kernel's lines of that time", at); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	at += int64(len(drops + "\n"))
	if gaps := judge(fail, boot+drops+"\n"+end).Gaps; len(gaps) != 1 || gaps[0].Offset != at || gaps[0].Bytes != -1 {
		t.Errorf("dropped messages: %+v, want a gap before %d", gaps, at)
	}
	j := verdict.New(fail, "ttyS0")
	j.Gap(0, 0, 5, "grows")
	j.Gap(0, 0, 9, "grows")
	if r := j.Result(); len(r.Gaps) != 1 || r.Gaps[0].Bytes != 9 {
		t.Errorf("%+v", r.Gaps)
	}
}

// An event has its place and its lines, without control characters.
func TestEvent(t *testing.T) {
	t.Parallel()
	r := judge(fail, boot+line(2, "Kernel panic - not syncing: \x1b]0;x\a"))
	if len(r.Events) != 1 || !r.Panicked() || r.Err() == nil {
		t.Fatalf("%+v", r)
	}
	e := r.Events[0]
	if e.Kind != kevent.Panic || e.Console != "ttyS0" || len(e.Lines) != 1 || !strings.HasSuffix(e.Lines[0], `: \x1b]0;x\a`) {
		t.Errorf("%+v", e)
	}
	if want := `panic: Kernel panic - not syncing: \x1b]0;x\a`; e.String() != want {
		t.Errorf("got %q, want %q", e.String(), want)
	}
	if err := r.Err(); !strings.HasPrefix(err.Error(), e.String()+" (ttyS0, ") {
		t.Errorf("got %q", err)
	}
	var text strings.Builder
	if err := r.Write(&text); err != nil || !strings.HasPrefix(text.String(), "broken\nfail: panic: ") || strings.ContainsAny(text.String(), "\x1b\a") {
		t.Errorf("%v, %q", err, text.String())
	}
}

// A kernel that warns without end does not hide what fails.
func TestMany(t *testing.T) {
	t.Parallel()
	j := verdict.New(verdict.Rules{Warnings: verdict.Note}, "ttyS0")
	for i := range 1200 {
		j.Feed(0, []byte(strings.ReplaceAll(warning, "1.", fmt.Sprintf("%d.", i+10))))
	}
	j.Feed(0, []byte(line(5000, "Oops: 0000 [#1] SMP")))
	if r := j.Result(); r.Verdict != verdict.Broken || len(r.Events) != 1001 {
		t.Errorf("%s, %d events", r.Verdict, len(r.Events))
	}
}

func TestReadAllowances(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "allow")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\ufeff# of this\n# hardware\noops in a\n  bug in b\r\n\nlockdep: \n# other\nx#y\n")
	all, err := verdict.ReadAllowances(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range all {
		got = append(got, a.Match.String()+"|"+a.Reason)
	}
	want := []string{"oops in a|of this hardware", "bug in b|of this hardware", "lockdep:|", "x#y|other"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	write("a\n(\n.*\n")
	_, err = verdict.ReadAllowances(file)
	if err == nil || !strings.Contains(err.Error(), file+":2: invalid regular expression") || !strings.Contains(err.Error(), file+`:3: ".*" matches the empty text`) {
		t.Error(err)
	}
	write("\x7fELF\x00(\n(\n")
	if _, err = verdict.ReadAllowances(file); err == nil || err.Error() != file+": is not text (it has NUL bytes)" {
		t.Error(err)
	}
	if _, err := verdict.ReadAllowances(file + "none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzJudge checks that a judge accepts any output, in any pieces, and that the verdict does not
// depend on them.
func FuzzJudge(f *testing.F) {
	f.Add([]byte(boot+warning+oops+end), 7)
	f.Add([]byte(boot+untimed(oops)+"\x1b[2J\xff"), 1)
	f.Fuzz(func(t *testing.T, output []byte, size int) {
		whole, pieces := verdict.New(fail, "ttyS0"), verdict.New(fail, "ttyS0")
		whole.Feed(0, output)
		size = max(1, size%100)
		for from := 0; from < len(output); from += size {
			pieces.Feed(0, output[from:min(from+size, len(output))])
		}
		if a, b := summary(whole.Result()), summary(pieces.Result()); a != b {
			t.Errorf("whole: %s, in pieces: %s", a, b)
		}
	})
}

// TestLinesLeftOut checks that a long report says how many of its lines are left out.
func TestLinesLeftOut(t *testing.T) {
	rip, trace := line(2.1, "RIP: 0010:fuzz_open+0x10/0x20"), line(2.1, "Call Trace:")
	for i := range 49 {
		trace += line(2.1, fmt.Sprintf(" fuzz_%d+0x1/0x2", i))
	}
	lines := judge(fail, boot+strings.Replace(oops, rip, rip+trace, 1)).Events[0].Lines
	if len(lines) != 41 || lines[35] != "… 13 more lines" || !strings.Contains(lines[40], "end trace") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// A report with one line too many has all its lines.
func TestOneLineMore(t *testing.T) {
	rip, trace := line(2.1, "RIP: 0010:fuzz_open+0x10/0x20"), line(2.1, "Call Trace:")
	for i := range 37 {
		trace += line(2.1, fmt.Sprintf(" fuzz_%d+0x1/0x2", i))
	}
	lines := judge(fail, boot+strings.Replace(oops, rip, rip+trace, 1)).Events[0].Lines
	if len(lines) != 41 || strings.Contains(strings.Join(lines, ""), "more lines") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// Events with the same fingerprint are one item of the error.
func TestRepeatedEvents(t *testing.T) {
	later := strings.ReplaceAll(strings.ReplaceAll(warning, " 1.0", "25.0"), " 1.1", "25.1")
	untimedErr := judge(fail, untimed(boot+warning+warning+oops)).Err().Error()
	err := judge(fail, boot+warning+oops+later).Err().Error()
	if strings.Count(err, "warning in fuzz_open") != 1 || !strings.Contains(err, "; 2 times, the last at 25.0 s)\n") || !strings.Contains(err, "\noops in fuzz_open") {
		t.Error(err)
	}
	if !strings.Contains(untimedErr, "; 2 times)\n") {
		t.Error(untimedErr)
	}
}

// After more gaps than a Result has, what is missing on both consoles still counts.
func TestManyGaps(t *testing.T) {
	t.Parallel()
	j := verdict.New(fail, "ttyS0", "hvc0")
	for i := range 1100 {
		j.Feed(0, []byte(line(float64(i), "hello")))
		j.Feed(1, []byte(line(float64(i), "hello")))
		j.Feed(0, []byte(line(float64(i)+0.5, "hello")))
		j.Gap(1, 10, 10, "only here")
	}
	j.Gap(0, 10, 10, "everywhere")
	if r := j.Result(); r.Verdict != verdict.Unknown {
		t.Errorf("%s, %d gaps", r.Verdict, len(r.Gaps))
	} else if lines := append(strings.Split(r.Err().Error(), "\n"), r.Notes()...); len(lines) > 20 {
		t.Errorf("%d lines about the gaps", len(lines))
	}
}

// A line that is printed again and again is one event with a bounded number of copies.
func TestManyCopies(t *testing.T) {
	t.Parallel()
	r := judge(fail, boot+strings.Repeat(line(2, "Kernel panic - not syncing: x"), 1000))
	if len(r.Events) != 1 || len(r.Events[0].Copies) != 100 {
		t.Errorf("%d events: %.200v", len(r.Events), r.Events)
	}
}
