package systemd

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
)

// Unit is a unit file that a program of this project makes.
type Unit struct {
	// Name is the name of the file: "qemu-serial-relay.service".
	Name string
	// Maker is the program whose command units makes the unit: "qemu-relay".
	Maker string
	// Program is the path of the program that the unit starts. It must be absolute.
	Program string
	// Body is the text of the file after its first line.
	Body string
}

// Text returns the text of the file. Its first line says who has made it: a file with this
// line may be replaced and removed.
func (u Unit) Text() string {
	return "# Made by " + u.Maker + " units; a change here is lost with its next run.\n" + u.Body
}

// marker returns the first line of the file.
func (u Unit) marker() string {
	line, _, _ := strings.Cut(u.Text(), "\n")
	return line
}

// Validate returns an error if systemd would refuse the program: its path is not absolute,
// or has characters that systemd refuses even if they are quoted.
func (u Unit) Validate() error {
	if !filepath.IsAbs(u.Program) {
		return fmt.Errorf("program: %q is not an absolute path", u.Program)
	}
	if strings.ContainsFunc(u.Program, func(r rune) bool {
		return strings.ContainsRune(`'"\`, r) || unicode.IsControl(r)
	}) {
		return fmt.Errorf("program: %q has characters that systemd refuses (quotes, backslashes, control characters)", u.Program)
	}
	return nil
}

// commandLine returns the line that systemd reads as words; see "COMMAND LINES" in
// systemd.service(5).
func commandLine(words []string) string {
	var line []string
	for _, word := range words {
		line = append(line, quoted(word))
	}
	text := strings.Join(line, " ")
	if strings.Contains(text, "$") {
		return ":" + text // disables the expansion of variables
	}
	return text
}

// quoted returns a word for a unit file, with specifiers escaped, in quotes if needed.
func quoted(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	plain := func(r rune) bool {
		return r > unicode.MaxASCII || unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+%@:,=$", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	var text strings.Builder
	text.WriteByte('"')
	for _, char := range []byte(word) {
		switch {
		case char == '"' || char == '\\':
			text.WriteByte('\\')
			text.WriteByte(char)
		case char < ' ' || char == 0x7f:
			fmt.Fprintf(&text, `\x%02x`, char)
		default:
			text.WriteByte(char)
		}
	}
	text.WriteByte('"')
	return text.String()
}
