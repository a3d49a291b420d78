// Package display shows people, and programs, what control sockets tell.
package display

import (
	"bytes"
	"encoding/json"
	"io"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/state"
)

// Display shows machines again and again: on a terminal at the same place,
// elsewhere one below the other.
type Display struct {
	w        io.Writer
	print    func(io.Writer, []state.Machine) error
	terminal bool
	begun    bool
}

// New returns a display on w that prints machines with print.
func New(w io.Writer, print func(io.Writer, []state.Machine) error) *Display {
	return &Display{w: w, print: print, terminal: cmdline.IsTerminal(w)}
}

// Show shows machines in one write, so that nothing flickers.
func (d *Display) Show(machines []state.Machine) error {
	var text bytes.Buffer
	if err := d.print(&text, machines); err != nil {
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

// JSON prints each machine as a line of JSON, in printable characters alone.
func JSON(w io.Writer, machines []state.Machine) error {
	for _, machine := range machines {
		text, err := json.Marshal(machine)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(plaintext.JSON(text), '\n')); err != nil {
			return err
		}
	}
	return nil
}
