package qemu

import (
	"regexp"
	"strings"
)

// plain is a word that a POSIX shell leaves as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Shell writes a command line so that a POSIX shell reads it back: an option
// and its value on each line.
func Shell(args []string) string {
	var text strings.Builder
	for i, arg := range args {
		switch {
		case i == 0:
		case strings.HasPrefix(arg, "-"):
			text.WriteString(" \\\n  ")
		default:
			text.WriteByte(' ')
		}
		if !plain.MatchString(arg) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		text.WriteString(arg)
	}
	return text.String()
}
