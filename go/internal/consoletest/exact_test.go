package consoletest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dmesgStub is a dmesg whose messages are the lines of the file log. With -n, it sets the level in the
// file printk, and the kernel prints a warning.
const dmesgStub = `#!/bin/sh
if [ "$1" = -n ]; then
	echo "$2" >printk
	if [ -e dropped ]; then sed -i 1d log; fi
	echo "[    2.000000] WARNING" >>log
else
	cat log
fi
`

// The kernel's messages are printed after the numbered lines, and its level is the same as before.
func TestNumberedLinesAndMessages(t *testing.T) {
	const lines = "begin-2961\n1\n2\n3\nend-2961\n"
	for _, test := range []struct{ name, file, want string }{
		{"messages", "other", lines + "[    2.000000] WARNING\nsaid-2961\n"},
		{"after more messages than the kernel keeps", "dropped", lines + "[    1.000000] b\n[    2.000000] WARNING\nsaid-2961\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{
				"log": "[    0.000000] a\n[    1.000000] b\n", "printk": "4\t4\t1\t7\n", "dmesg": dmesgStub, test.file: "",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			shell := exec.Command("sh", "-c", strings.ReplaceAll(numberedLines(3), "/proc/sys/kernel/", ""))
			shell.Dir, shell.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			got, err := shell.CombinedOutput()
			if err != nil || string(got) != test.want {
				t.Errorf("%v: %q, want %q", err, got, test.want)
			}
			if level, err := os.ReadFile(filepath.Join(dir, "printk")); err != nil || string(level) != "4 4 1 7\n" {
				t.Errorf("%v: the level is %q", err, level)
			}
		})
	}
}

func TestCountLines(t *testing.T) {
	const echo = "# echo begin-$((63*47)); seq 1 3 | cat\r\n"
	tests := []struct {
		name, text, want string
	}{
		{"all", echo + "begin-2961\r\n1\r\n2\r\n3\r\nend-2961\r\n# ", ""},
		{"after a control sequence", "# \x1b[?2004l\rbegin-2961\r\n1\r\n2\r\n3\r\nend-2961\r\n# ", ""},
		{"one is missing", "begin-2961\r\n1\r\n3\r\nend-2961\r\n", `got "3", want line 2 of 3`},
		{"one is repeated", "begin-2961\r\n1\r\n1\r\n2\r\n3\r\nend-2961\r\n", `got "1", want line 2 of 3`},
		{"the last one is missing", "begin-2961\r\n1\r\n2\r\nend-2961\r\n", `got "end-2961", want line 3 of 3`},
		{"one too many", "begin-2961\r\n1\r\n2\r\n3\r\n4\r\nend-2961\r\n", `got "end-2961", want line 5 of 3`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := countLines(strings.NewReader(test.text), 3); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
