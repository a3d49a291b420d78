// Package color colors the text that programs print on a terminal (ECMA-48, SGR).
package color

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Palette is a set of colors. The zero Palette has none: its methods return the text as it
// is.
type Palette struct{ on bool }

// All returns the Palette of a terminal.
func All() Palette { return Palette{on: true} }

// Of returns the Palette for text that is written to w. It has no colors unless w is a
// terminal, and none if NO_COLOR is set (https://no-color.org) or TERM is "dumb".
func Of(w io.Writer) Palette {
	file, ok := w.(*os.File)
	return Palette{on: ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))}
}

// On reports whether the Palette has colors.
func (p Palette) On() bool { return p.on }

// Red returns text in red, for failures and losses.
func (p Palette) Red(text string) string { return p.paint("31", text) }

// Green returns text in green, for what works.
func (p Palette) Green(text string) string { return p.paint("32", text) }

// Yellow returns text in yellow, for what is not ready or was left out.
func (p Palette) Yellow(text string) string { return p.paint("33", text) }

// Gray returns text in gray, for what is absent.
func (p Palette) Gray(text string) string { return p.paint("90", text) }

func (p Palette) paint(code, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
