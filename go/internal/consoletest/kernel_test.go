package consoletest

import (
	"io"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithoutKernelLines(t *testing.T) {
	const line = "[    2.192861] tsc: Refined TSC [x] calibration\r\n"
	for _, test := range []struct{ name, text, left string }{
		{"nothing", "", ""},
		{"none", "a\r\nb", "a\r\nb"},
		{"between lines", "a\r\n" + line + "b", "a\r\nb"},
		{"in the middle of a word", "/dev/tt" + line + line + "yS0", "/dev/ttyS0"},
		{"with the caller (CONFIG_PRINTK_CALLER)", "/dev/tt[    2.192861][    T1] tsc: x\r\nyS0", "/dev/ttyS0"},
		{"not at its end yet", "a[    2.192861] tsc: Re", "a[    2.192861] tsc: Re"},
		{"something else in brackets", "[1] done\r\n[ok] x\r\n", "[1] done\r\n[ok] x\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			left, original := withoutKernelLines([]byte(test.text))
			if diff := cmp.Diff(test.left, string(left)); diff != "" {
				t.Error(diff)
			}
			for at := range len(left) {
				if test.text[original(at+1)-1] != left[at] {
					t.Errorf("byte %d of %q is not at %d of %q", at, left, original(at+1)-1, test.text)
				}
			}
		})
	}
}

// Expect matches an answer that the kernel breaks into, and the next one.
func TestKernelLinesInAnAnswer(t *testing.T) {
	console, guest := connected(t)
	go func() {
		io.WriteString(guest, "one[    2.192861] tsc: on")
		io.WriteString(guest, "e\r\n two")
	}()
	for _, want := range []string{"one ", "two"} {
		if _, err := console.Expect(limited(t), "answer", regexp.MustCompile(want)); err != nil {
			t.Error(err)
		}
	}
}
