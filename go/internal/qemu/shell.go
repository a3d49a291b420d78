package qemu

import (
	"regexp"
	"strings"
)

// plain matches words that need no quotes in a POSIX shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Shell returns a command line quoted for a POSIX shell, with each option and its value on a line
// of its own.
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
