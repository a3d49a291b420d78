package symbols

import (
	"bytes"
	"io"
)

// Writer returns a writer that decodes lines and writes them to w. A line is written when it
// ends. Close writes the last one; it does not close w.
func (d *Decoder) Writer(w io.Writer) io.WriteCloser { return &writer{decoder: d, w: w} }

type writer struct {
	decoder *Decoder
	w       io.Writer
	rest    []byte // of a line that has no end yet
}

// maxLine is how long a line is at most before it is written without its end.
const maxLine = 64 << 10

func (w *writer) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 && len(w.rest) > maxLine {
		end = len(w.rest)
	}
	if end > 0 {
		text := w.decoder.Line(string(w.rest[:end]))
		w.rest = w.rest[:copy(w.rest, w.rest[end:])]
		if _, err := io.WriteString(w.w, text); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}

// Close implements io.Closer.
func (w *writer) Close() error {
	_, err := io.WriteString(w.w, w.decoder.Line(string(w.rest)))
	w.rest = nil
	return err
}
