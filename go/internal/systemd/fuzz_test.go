package systemd_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"microvm-console/internal/systemd"
)

// unitWord matches a word of a command line, quoted or not; see systemd.service(5), "COMMAND
// LINES", and systemd.syntax(7), "QUOTING".
var unitWord = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|([^ "]+)`)

// No name of the program or the settings file changes other lines of the unit, and systemd
// reads the words of the command unchanged.
func FuzzUnit(f *testing.F) {
	f.Add("/usr/bin/qemu-relay", "")
	f.Add("/opt/my relay/100%/$x/qemu-relay", odd)
	f.Add("/bin/x", "/\n[Service]\nExecStart=/bin/sh\r\x00")
	plain := systemd.Relay{Channel: "serial", Program: "/bin/x"}.Unit()
	f.Fuzz(func(t *testing.T, program, config string) {
		unit := systemd.Relay{Channel: "serial", Program: program, Config: config}.Unit()
		if unit.Validate() != nil {
			return
		}
		lines, want := strings.Split(unit.Text(), "\n"), strings.Split(plain.Text(), "\n")
		at := slices.IndexFunc(want, func(line string) bool { return strings.HasPrefix(line, "ExecStart=") })
		line, ok := strings.CutPrefix(lines[at], "ExecStart=")
		if !ok || !slices.Equal(slices.Delete(slices.Clone(lines), at, at+1), slices.Delete(want, at, at+1)) {
			t.Fatalf("%q", lines)
		}
		line, literal := strings.CutPrefix(line, ":") // no variables
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(line, "$") && !literal {
			t.Errorf("%q", line)
		}
		var words []string
		for _, word := range unitWord.FindAllStringSubmatch(line, -1) {
			text := word[2]
			if word[0][0] == '"' {
				text = regexp.MustCompile(`\\(x[0-9a-f]{2}|.)`).ReplaceAllStringFunc(word[1], func(escape string) string {
					if code, err := strconv.ParseUint(escape[2:], 16, 8); err == nil {
						return string([]byte{byte(code)})
					}
					return escape[1:]
				})
			}
			words = append(words, strings.ReplaceAll(text, "%%", "%"))
		}
		command := []string{program, "serve", "--config", config, "serial"}
		if config == "" {
			command = slices.Delete(command, 2, 4)
		}
		if !slices.Equal(words, command) {
			t.Errorf("%s is read as %q, want %q", line, words, command)
		}
	})
}
