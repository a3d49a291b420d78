// Package asciicast writes recordings of terminals in the format asciicast v2, which
// asciinema and its web player play:
// https://docs.asciinema.org/manual/asciicast/v2/
//
// A recording is a line of JSON with the header, and one line for each event:
// [seconds, "o", text] for output, and [seconds, "m", label] for a marker. Texts are UTF-8:
// a character that is split between two pieces of output is in the event of its last byte,
// and each byte that is not valid UTF-8 becomes U+FFFD.
package asciicast

import (
	"bytes"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"microvm-console/internal/plaintext"
)

// The size of a recording: that of the terminal is unknown.
const (
	columns = 80
	rows    = 24
)

// Header describes a recording.
type Header struct {
	Start time.Time // time 0 of the events; zero if unknown: the time of the first event
	Title string
}

// Writer writes a recording.
type Writer struct {
	w       io.Writer
	start   time.Time
	last    float64 // seconds of the last event: times never decrease
	partial []byte  // the begin of a character whose other bytes have not come
}

// NewWriter writes the header to w and returns a Writer for the events. The caller calls
// Flush at the end.
func NewWriter(w io.Writer, header Header) (*Writer, error) {
	line := struct {
		Version   int    `json:"version"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
		Timestamp int64  `json:"timestamp,omitempty"`
		Title     string `json:"title,omitempty"`
	}{2, columns, rows, 0, header.Title}
	if !header.Start.IsZero() {
		line.Timestamp = header.Start.Unix()
	}
	writer := &Writer{w: w, start: header.Start}
	return writer, writer.line(line)
}

// Output writes data that the terminal got at a time. The time is that of the event before
// if it is zero or earlier than that. Output keeps no reference to data.
func (w *Writer) Output(at time.Time, data []byte) error {
	data = append(w.partial, data...)
	whole := len(data) - partial(data)
	w.partial = append([]byte(nil), data[whole:]...)
	if whole == 0 {
		return nil
	}
	return w.event(at, "o", string(data[:whole]))
}

// Marker writes a marker, with a time as in Output. A character before it that is incomplete
// may be completed after it.
func (w *Writer) Marker(at time.Time, label string) error { return w.event(at, "m", label) }

// Flush writes what is left of an incomplete character. It is for the end of the output, and
// for places where bytes are missing.
func (w *Writer) Flush() error {
	rest := w.partial
	if w.partial = nil; len(rest) == 0 {
		return nil
	}
	return w.event(time.Time{}, "o", string(rest))
}

func (w *Writer) event(at time.Time, kind, text string) error {
	if w.start.IsZero() {
		w.start = at
	}
	if !at.IsZero() {
		w.last = max(w.last, at.Sub(w.start).Round(time.Microsecond).Seconds())
	}
	return w.line([]any{w.last, kind, text})
}

// line writes a line of JSON, in printable characters only: a terminal on which the line is printed
// must not obey it.
func (w *Writer) line(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := w.w.Write(append(plaintext.JSON(bytes.TrimSuffix(text.Bytes(), []byte("\n"))), '\n'))
	return err
}

// partial returns how many bytes at the end of data are the begin of a character that
// more bytes can complete.
func partial(data []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(data); n++ {
		if tail := data[len(data)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
