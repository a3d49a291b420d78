package cmdline

import (
	"io"
	"os"

	"golang.org/x/term"

	"microvm-console/internal/color"
)

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Color reports whether output to w may have colors; see package color.
func Color(w io.Writer) bool { return color.Of(w).On() }
