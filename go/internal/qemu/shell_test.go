package qemu_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/qemu"
)

func TestShellLayout(t *testing.T) {
	got := qemu.Shell([]string{"qemu-system-x86_64", "-m", "256M", "-append", "console=ttyS0,115200 panic=-1", "-nodefaults", "-initrd", "it's here"})
	want := `qemu-system-x86_64 \
  -m 256M \
  -append 'console=ttyS0,115200 panic=-1' \
  -nodefaults \
  -initrd 'it'\''s here'`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// words are words that need quotes.
var words = []string{
	"", " ", "a b", "'", "''", `"`, `\`, `\\`, "$HOME", "`id`", "$(id)", "*", "?", "[a]", "~", "~root", "#", "a#", "!", "a;b", "a&b", "a|b", "<a", ">a",
	"(a)", "{a,b}", "a\nb", "\n", "a\tb", "-", "--", "-n", "-n a", "=", "a=b", "%s", "ä", "\x7f\xff", "\r",
}

func TestShellQuotes(t *testing.T) {
	if diff := cmp.Diff(words, readBack(t, words)); diff != "" {
		t.Error(diff)
	}
}

func FuzzShell(f *testing.F) {
	for _, word := range words {
		f.Add(word, "x")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		if strings.Contains(one+two, "\x00") {
			return // an argument cannot contain NUL
		}
		args := []string{one, two}
		if diff := cmp.Diff(args, readBack(t, args)); diff != "" {
			t.Error(diff)
		}
	})
}

// readBack returns args as /bin/sh parses the result of Shell.
func readBack(t *testing.T, args []string) []string {
	t.Helper()
	line := qemu.Shell(append([]string{"printf", `%s\0`}, args...))
	shell := exec.Command("/bin/sh", "-s")
	shell.Stdin = strings.NewReader(line)
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}
