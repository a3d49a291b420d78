package attach

import (
	"bytes"
	"io"

	"microvm-console/internal/cmdline"
)

// Writer writes what a command in a guest prints. If that goes to a terminal, it passes
// through a Filter, as a console's output does, without questions to the terminal: their
// answers would be typed into the user's shell.
type Writer struct {
	w      io.Writer
	filter *Filter // nil: everything is written as it is
	begun  bool    // a control sequence was written: there may be something to put back
	buffer []byte
}

// NewWriter returns a Writer on w. raw writes everything as it is.
func NewWriter(w io.Writer, raw bool) *Writer {
	out := &Writer{w: w}
	if !raw && cmdline.IsTerminal(w) {
		out.filter = new(Filter)
	}
	return out
}

// Write writes what of data may be shown. It returns len(data) unless it fails.
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

// Close puts the terminal back. It does not close the writer below.
func (w *Writer) Close() error {
	if !w.begun {
		return nil
	}
	w.begun = false
	_, err := w.w.Write(w.filter.AppendRestore(nil))
	return err
}
