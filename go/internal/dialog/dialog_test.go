package dialog

import (
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flagsOf returns the flags of a command line.
func flagsOf(t *testing.T, args ...string) *Flags {
	t.Helper()
	flags, set := new(Flags), flag.NewFlagSet("", flag.ContinueOnError)
	for _, one := range flags.Flags() {
		if err := one.Apply(set); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestFlags(t *testing.T) {
	steps, err := flagsOf(t, "--expect", "# ", "--send", "echo a,b", "--send= x ", "--expect", "^x,y$", "--send", "", "--send", `y\c`).Steps()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range steps {
		if step.Expect != nil {
			got = append(got, step.Expect.String())
		} else {
			got = append(got, step.Send)
		}
	}
	if diff := cmp.Diff([]string{"(?m:# )", "echo a,b\r", " x \r", "(?m:^x,y$)", "\r", "y"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInvalidFlags(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--expect", "("}, `invalid expect "(": `},
		{[]string{"--expect", "(?<x"}, `invalid expect "(?<x": `},
		{[]string{"--expect", ""}, `invalid expect "": it matches the empty text `},
		{[]string{"--expect", "x*"}, `invalid expect "x*": it matches the empty text `},
		{[]string{"--send", "echo 42", "--expect", "42$"}, `--expect "42$": the echo of --send "echo 42" matches `},
		{[]string{"--send", "ab", "--send", "c", "--expect", "^a"}, `--expect "^a": the echo of --send "ab" matches `},
		{[]string{"--send", "ab", "--expect", "\n"}, `--expect "\n": the echo of --send "ab" matches `},
		{[]string{"--send", `ab\c`, "--expect", "b"}, `--expect "b": the echo of --send "ab\\c" matches `},
	} {
		if _, err := flagsOf(t, row.args...).Steps(); err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%q: %v, want %s", row.args, err, row.want)
		}
	}
	for _, args := range [][]string{
		{"--send", "ab", "--expect", "#", "--send", "c", "--expect", "a"},
		{"--send", "echo $((6*7))", "--expect", "42"},
		{"--send", `a\c`, "--expect", "\n"},
	} {
		if _, err := flagsOf(t, args...).Steps(); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// stepsOf returns steps from texts: "<x" waits for x, ">x" types it.
func stepsOf(t *testing.T, texts string) (steps []Step) {
	t.Helper()
	for _, text := range strings.Fields(texts) {
		if text[0] == '>' {
			steps = append(steps, Step{Send: text[1:]})
			continue
		}
		found, err := flagsOf(t, "--expect", text[1:]).Steps()
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, found...)
	}
	return steps
}

func TestWithinLine(t *testing.T) {
	for _, row := range []struct {
		within   bool
		patterns []string
	}{
		{true, []string{"login: ", "^[a-z]+.*$", "a|b+", `\d{2,3}\b`, "(?i)x", `[^\n]`, `x\z`}},
		{false, []string{`a\nb`, "a\nb", `\s`, "[^ ]x", "(?s).x", `(a|\n)x`, `\Ax`}},
	} {
		for _, pattern := range row.patterns {
			steps, err := flagsOf(t, "--expect", pattern).Steps()
			if err != nil || steps[0].within != row.within {
				t.Errorf("%q: %v, want %v (%v)", pattern, !row.within, row.within, err)
			}
		}
	}
}

// TestDialog runs dialogs along pieces of output. What is typed appears in the result in
// brackets, at its place in the output. A dot ends the result of a dialog that is done.
func TestDialog(t *testing.T) {
	for _, row := range []struct {
		name, steps string
		live        int64 // the length of what was printed before
		output      []string
		want        string
	}{
		{"a match ends the output", "<b", 0, []string{"ab", "c"}, "ab."},
		{"within a piece", "<b", 0, []string{"abc"}, "ab."},
		{"across pieces", "<bc", 0, []string{"ab", "cd"}, "abc."},
		{"no match", "<x", 0, []string{"ab", "c"}, "abc"},
		{"several lines", `<^c\r?\n?d`, 0, []string{"c\r", "\n", "x\nc", "\r\n", "d\n"}, "c\r\nx\nc\r\nd."},
		{"the line before", "<^b.*c$", 0, []string{"b\r\n", "bx\r\nb", "y", "c", "\r\nd"}, "b\r\nbx\r\nbyc\r\n."},
		{"several in a piece", "<a <b >x", 0, []string{"a-bc"}, "a-b[x]."},
		{"each follows the last one", "<a <a", 0, []string{"a-", "-ab"}, "a--a."},
		{"a text at once, without its output", ">x", 3, []string{"abc"}, "[x]."},
		{"after a text, what was printed before does not count", "<a >x <b", 0, []string{"ab", "cbd"}, "ab[x]cb."},
		{"nor does history", "<a >x <b", 5, []string{"ab", "-b-", "cbd"}, "ab[x]-b-cb."},
		{"history counts for the first step", "<b", 9, []string{"ab", "-b-"}, "ab."},
		{"line ends", `<a\nb`, 0, []string{"a\r", "\nbc"}, "a\r\nb."},
		{"a line end within the match", "<^b$", 0, []string{"a\r\nb\r\nc"}, "a\r\nb\r\n."},
		{"the end so far does not end a line", "<^6.1$", 0, []string{"6.1", ".2\r\n6.1", "\r\n"}, "6.1.2\r\n6.1\r\n."},
		{"a line end in two pieces", "<^b$", 0, []string{"b\r", "\nc"}, "b\r\n."},
		{"line ends of a getty", "<^demo", 0, []string{"a\r\r\n\rdemo login: "}, "a\r\r\n\rdemo."},
		{"line ends of a getty in pieces", `<a\n <^demo`, 0, []string{"a\r", "\r", "\n", "\r", "demo login: "}, "a\r\r\n\rdemo."},
		{"a line that ends so", "<^42$", 0, []string{"6*7\r\r\n", "\r42", "\r", "\r\n\r", "#"}, "6*7\r\r\n\r42\r\r\n."},
		{"returns within a line", `<^\d+%\rb+$`, 0, []string{"a\n1%\r", "\rc\r\n\r\r2%\rbb\r\n"}, "a\n1%\r\rc\r\n\r\r2%\rbb\r\n."},
		{"nor of a word", `<\b4\b`, 0, []string{"4", "2 4", " "}, "42 4."},
		{"the end so far is enough otherwise", "<[#$].?", 0, []string{"a", "#"}, "a#."},
		{"invalid UTF-8", "<a.b", 0, []string{"a\xff", "bc"}, "a\xffb."},
	} {
		t.Run(row.name, func(t *testing.T) {
			var result strings.Builder
			typed := ""
			d := New(stepsOf(t, row.steps), func(text string) { typed += "[" + text + "]" })
			offset := int64(0)
			d.Connected(0, row.live)
			for _, piece := range row.output {
				if _, ok := d.Pending(); !ok {
					break
				}
				result.WriteString(piece[:d.Output(offset, []byte(piece))])
				offset += int64(len(piece))
				result.WriteString(typed)
				typed = ""
			}
			result.WriteString(typed)
			if _, ok := d.Pending(); !ok {
				result.WriteString(".")
			}
			if result.String() != row.want {
				t.Errorf("%q, want %q", result.String(), row.want)
			}
		})
	}
}

// Each length of the text has its length in the raw output.
func FuzzRawLength(f *testing.F) {
	f.Add([]byte("a\r\r\n\rdemo login: \r\r\n"))
	f.Add([]byte("\r1%\r\r2%\n\r\n\r"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := plain(raw)
		for n := range len(text) + 1 {
			at := rawLength(raw, n)
			if got := plain(raw[:at]); string(got) != string(text[:n]) {
				t.Fatalf("%d bytes of %q are %q, want %q", at, raw, got, text[:n])
			}
		}
	})
}

// A match cannot cross a gap, nor be longer than the window, whose memory is bounded.
func TestDialogForgets(t *testing.T) {
	d := New(stepsOf(t, "<(?s)a.*b"), nil)
	feed := func(offset int64, text string) bool {
		d.Output(offset, []byte(text))
		_, pending := d.Pending()
		return !pending
	}
	if feed(0, "a") || feed(9, "b") {
		t.Error("a match across a gap")
	}
	if feed(10, "a"+strings.Repeat("-", window)) || len(d.text) != window || feed(d.end, "b") {
		t.Error("a match longer than the window")
	}
	if !feed(d.end, "a-b") {
		t.Error("no match")
	}
}

func TestLastLine(t *testing.T) {
	d := New(stepsOf(t, "<x"), nil)
	for _, row := range []struct{ output, want string }{{"a\r\n", "a"}, {"b c \r\n\r\n", "b c"}, {"d", "d"}} {
		if d.Output(d.end, []byte(row.output)); d.LastLine() != row.want {
			t.Errorf("after %q: %q", row.output, d.LastLine())
		}
	}
}
