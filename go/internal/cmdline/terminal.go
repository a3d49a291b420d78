package cmdline

import (
	"io"
	"os"

	"golang.org/x/term"

	"microvm-console/internal/colour"
)

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Colour reports whether output to w may have colours; see package colour.
func Colour(w io.Writer) bool { return colour.Of(w).On() }
