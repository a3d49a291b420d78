package symbols

import (
	"bytes"
	"io"
)

// Writer returns a writer that decodes lines and writes them to w. A line is written when it
// ends. Close writes the last one; it does not close w.
func (d *Decoder) Writer(w io.Writer) io.WriteCloser {
	return &lines{each: func(line string) error {
		_, err := io.WriteString(w, d.Line(line))
		return err
	}}
}

// Survey returns a writer that looks for what a later part of a log says about an earlier one: how
// far KASLR has moved the kernel. The caller writes the log to it, closes it, and then decodes the
// same log. It never fails.
func (d *Decoder) Survey() io.WriteCloser {
	found := newBoots()
	d.boots.offsets = found.offsets
	return &lines{each: func(line string) error {
		found.line(line)
		return nil
	}}
}

// lines is a writer that calls a function for each line, with its end.
type lines struct {
	each func(string) error
	rest []byte // of a line that has no end yet
}

// maxLine is how long a line is at most before it is passed on without its end.
const maxLine = 64 << 10

func (l *lines) Write(data []byte) (int, error) {
	written := len(data)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		complete := end > 0
		if !complete {
			end = len(data)
		}
		l.rest = append(l.rest, data[:end]...)
		data = data[end:]
		if complete || len(l.rest) > maxLine {
			if err := l.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (l *lines) flush() error {
	line := string(l.rest)
	l.rest = l.rest[:0]
	return l.each(line)
}

// Close implements io.Closer.
func (l *lines) Close() error {
	if len(l.rest) == 0 {
		return nil
	}
	return l.flush()
}
