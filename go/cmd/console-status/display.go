package main

import (
	"bytes"
	"io"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
)

// display shows machines again and again: on a terminal at the same place,
// elsewhere one below the other.
type display struct {
	w        io.Writer
	print    func(io.Writer, []ctl.Status) error
	terminal bool
	begun    bool
}

func newDisplay(w io.Writer, print func(io.Writer, []ctl.Status) error) *display {
	return &display{w: w, print: print, terminal: cmdline.IsTerminal(w)}
}

// show shows machines in one write, so that nothing flickers.
func (d *display) show(machines []ctl.Status) error {
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
