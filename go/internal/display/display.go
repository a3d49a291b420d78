// Package display shows the state of VMs and channels: as tables for people, and as JSON.
package display

import (
	"bytes"
	"encoding/json"
	"io"
	"os"

	"golang.org/x/term"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/plaintext"
)

// Width returns how many columns the terminal w has; 0 if w is not a terminal.
func Width(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Display shows something again and again: on a terminal in the same place, elsewhere
// one below the other.
type Display struct {
	w        io.Writer
	terminal bool
	begun    bool
}

// New returns a display on w.
func New(w io.Writer) *Display { return &Display{w: w, terminal: cmdline.IsTerminal(w)} }

// Show shows what print prints, in one write, so that nothing flickers.
func (d *Display) Show(print func(io.Writer) error) error {
	var text bytes.Buffer
	if err := print(&text); err != nil {
		return err
	}
	out := text.Bytes()
	switch {
	case d.terminal && !d.begun:
		out = append([]byte("\x1b[H\x1b[2J"), out...)
	case d.terminal: // over what is there, and erase what is left of that
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\x1b[K\n"))
		out = append(append([]byte("\x1b[H"), out...), "\x1b[J"...)
	}
	d.begun = true
	_, err := d.w.Write(out)
	return err
}

// JSON prints value as a line of JSON, in printable characters alone.
func JSON(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(plaintext.JSON(text), '\n'))
	return err
}
