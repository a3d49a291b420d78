package attach

import (
	"bytes"
	"strings"
	"time"

	"microvm-console/internal/journal"
)

// stampForm is how a time is shown, in local time.
const stampForm = "15:04:05.000 "

// stamps begins lines with the time at which their first byte came.
//
// A carriage return takes a terminal back to the stamp, so that text behind it would be
// drawn over the time. Returns at the beginning of a line are therefore shown before its
// stamp, and one within a line is followed by another stamp, of the text behind it. The
// guest's bytes all stay, in their order.
type stamps struct {
	now     func() time.Time
	past    journal.Times // of what is not live
	place   place
	returns int // at the beginning of a line, not shown yet
}

// place is where in a line the next byte is.
type place int

const (
	begins   place = iota // at its beginning, or behind returns there
	within                // behind text
	returned              // behind returns that follow text
)

// stamped is shown with a time before each line.
func (o *output) stamped(data []byte, offset int64, live bool) {
	for len(data) > 0 {
		n := alike(data)
		o.stampedPart(data[:n], offset, live)
		data, offset = data[n:], offset+int64(n)
	}
}

// alike returns how many bytes at the start of data, which is not empty, are returns, or
// one line feed, or text without either.
func alike(data []byte) int {
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

// stampedPart is stamped for a part that alike has found.
func (o *output) stampedPart(part []byte, offset int64, live bool) {
	s := o.stamps
	switch {
	case part[0] == '\r' && s.place == begins:
		s.returns += len(part) // "\r\n" is an empty line, and its stamp is before both
		return
	case part[0] == '\r':
		s.place = returned
	case part[0] == '\n':
		if s.place == begins {
			o.buffer = s.append(o.buffer, offset, live)
			o.showReturns(live)
		}
		s.place = begins
	default:
		o.showReturns(live)
		if s.place != within {
			o.buffer = s.append(o.buffer, offset, live)
		}
		s.place = within
	}
	o.shown(part, live)
}

// showReturns shows the returns that were held back.
func (o *output) showReturns(live bool) {
	o.shown(bytes.Repeat([]byte{'\r'}, o.stamps.returns), live)
	o.stamps.returns = 0
}

// append appends the stamp of the byte at offset. One of the past whose time is not known
// gets blanks.
func (s *stamps) append(dst []byte, offset int64, live bool) []byte {
	when := s.past.At(offset)
	if live {
		when = s.now()
	}
	if when.IsZero() {
		return append(dst, strings.Repeat(" ", len(stampForm))...)
	}
	return when.Local().AppendFormat(dst, stampForm)
}
