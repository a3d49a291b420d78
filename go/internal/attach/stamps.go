package attach

import (
	"bytes"
	"strings"
	"time"

	"microvm-console/internal/journal"
)

// stampLayout is the layout of a stamp, in local time.
const stampLayout = "15:04:05.000 "

// stamps is the state of an output that begins lines with the time at which their first
// byte came.
//
// A carriage return moves the cursor back to the stamp, so the text after it would overwrite
// the time. Returns at the start of a line are therefore written before its stamp, and a
// return within a line is followed by the stamp of the text after it. The guest's bytes all
// stay, in order.
type stamps struct {
	now     func() time.Time
	past    journal.Times // the times of bytes that are not live
	place   place
	returns int // returns at the start of a line that are not written yet
}

// place is where in a line the next byte is.
type place int

const (
	atStart     place = iota // at the start, or after returns there
	afterText                // after text
	afterReturn              // after returns that follow text
)

// appendStamped is append with a time before each line.
func (o *output) appendStamped(data []byte, offset int64, live bool) {
	for len(data) > 0 {
		n := partLength(data)
		o.appendPart(data[:n], offset, live)
		data, offset = data[n:], offset+int64(n)
	}
}

// partLength returns the length of the part at the start of data, which is not empty: a run
// of returns, one line feed, or text without either.
func partLength(data []byte) int {
	n := 1
	switch data[0] {
	case '\n':
	case '\r':
		n = len(data) - len(bytes.TrimLeft(data, "\r"))
	default:
		if n = bytes.IndexAny(data, "\r\n"); n < 0 {
			n = len(data)
		}
	}
	return n
}

// appendPart is appendStamped for one part; see partLength.
func (o *output) appendPart(part []byte, offset int64, live bool) {
	s := o.stamps
	switch {
	case part[0] == '\r' && s.place == atStart:
		s.returns += len(part) // "\r\n" is an empty line, and its stamp precedes both
		return
	case part[0] == '\r':
		s.place = afterReturn
	case part[0] == '\n':
		if s.place == atStart {
			o.buffer = s.append(o.buffer, offset, live)
			o.appendReturns(live)
		}
		s.place = atStart
	default:
		o.appendReturns(live)
		if s.place != afterText {
			o.buffer = s.append(o.buffer, offset, live)
		}
		s.place = afterText
	}
	o.append(part, live)
}

// appendReturns appends the returns that were held back.
func (o *output) appendReturns(live bool) {
	o.append(bytes.Repeat([]byte{'\r'}, o.stamps.returns), live)
	o.stamps.returns = 0
}

// append appends the stamp of the byte at offset: blanks if its time is unknown.
func (s *stamps) append(dst []byte, offset int64, live bool) []byte {
	when := s.past.At(offset)
	if live {
		when = s.now()
	}
	if when.IsZero() {
		return append(dst, strings.Repeat(" ", len(stampLayout))...)
	}
	return when.Local().AppendFormat(dst, stampLayout)
}
