package guest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// In any output, a panic that is found is a line of it, has a bounded number of lines, and does
// not depend on the text before it.
func FuzzPanic(f *testing.F) {
	f.Add([]byte("\r\n"), []byte(deadText))
	f.Add([]byte(panicText), []byte(bootText+panicText))
	f.Add([]byte(bootText), []byte("Kernel panic - not syncing: "+strings.Repeat("\xff", maxMessage)+"\nreboot: \r\n"))
	f.Fuzz(func(t *testing.T, before, text []byte) {
		for _, still := range []bool{false, true} {
			found := panicIn(text, still)
			if found == nil {
				continue
			}
			if !strings.HasPrefix(found.Message, "Kernel panic - not syncing") || len(found.Message) > maxMessage ||
				strings.ContainsAny(found.Message, "\r\n") || !bytes.Contains(text, []byte(found.Message)) || !found.Panic() {
				t.Errorf("%+v in %q", found, text)
			}
			if len(found.Lines) > errorLines || slices.ContainsFunc(found.Lines, func(line string) bool { return strings.ContainsAny(line, "\r\n") }) {
				t.Errorf("lines %q", found.Lines)
			}
			longer := panicIn(slices.Concat(before, []byte("\n"), text), still)
			if longer == nil || longer.Message != found.Message || longer.Cause != found.Cause {
				t.Errorf("%+v, and after %q %+v", found, before, longer)
			}
			if other := panicIn(text, false); other == nil || other.Message != found.Message {
				t.Errorf("%+v, and without still %+v", found, other)
			}
		}
	})
}
