package attach

import (
	"bytes"
	"io"

	"microvm-console/internal/cmdline"
)

// Writer writes the output of a command in a guest. If its writer is a terminal, the output
// passes through a Filter. Questions to the terminal never pass: their answers would be
// typed into the user's shell.
type Writer struct {
	w      io.Writer
	filter *Filter // nil: everything is written unchanged
	begun  bool    // a control sequence was written, so Close restores the terminal
	buffer []byte
}

// NewWriter returns a Writer on w. With raw it writes everything unchanged. The caller calls
// Close.
func NewWriter(w io.Writer, raw bool) *Writer {
	out := &Writer{w: w}
	if !raw && cmdline.IsTerminal(w) {
		out.filter = new(Filter)
	}
	return out
}

// Write writes data, filtered. It returns len(data) unless it fails.
func (w *Writer) Write(data []byte) (int, error) {
	if w.filter == nil {
		return w.w.Write(data)
	}
	w.buffer = w.filter.Append(w.buffer[:0], data, false)
	w.begun = w.begun || bytes.ContainsAny(w.buffer, "\x1b\x0e")
	if _, err := w.w.Write(w.buffer); err != nil {
		return 0, err
	}
	return len(data), nil
}

// Close restores the terminal. It does not close the writer of NewWriter.
func (w *Writer) Close() error {
	if !w.begun {
		return nil
	}
	w.begun = false
	_, err := w.w.Write(w.filter.AppendRestore(nil))
	return err
}
