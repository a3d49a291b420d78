// Package display prints the state of VMs and channels: in tables for people, and as JSON.
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

// Width returns the number of columns of the terminal w; 0 if w is not a terminal.
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

// Display prints a text again and again: on a terminal each one replaces the one before, and
// otherwise it follows it.
type Display struct {
	w        io.Writer
	terminal bool
	begun    bool
}

// New returns a display on w.
func New(w io.Writer) *Display { return &Display{w: w, terminal: cmdline.IsTerminal(w)} }

// Show writes what print prints. It does so in one write, so that the terminal does not
// flicker.
func (d *Display) Show(print func(io.Writer) error) error {
	var text bytes.Buffer
	if err := print(&text); err != nil {
		return err
	}
	out := text.Bytes()
	switch {
	case d.terminal && !d.begun:
		out = append([]byte("\x1b[H\x1b[2J"), out...)
	case d.terminal: // write over the text before, and erase what remains of it
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\x1b[K\n"))
		out = append(append([]byte("\x1b[H"), out...), "\x1b[J"...)
	}
	d.begun = true
	_, err := d.w.Write(out)
	return err
}

// JSON prints value as one line of JSON, in printable characters only.
func JSON(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(plaintext.JSON(text), '\n'))
	return err
}
