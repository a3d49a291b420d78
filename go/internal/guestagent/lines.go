package guestagent

import "bytes"

// keptRoom is the largest buffer that a Lines keeps for the next line, in bytes.
const keptRoom = 64 << 10

// Lines splits a stream into messages. The zero value is ready to use. It buffers at most one
// message of the length that Feed allows.
type Lines struct {
	line      []byte
	delimited bool // a Delimiter is directly before the line
	skip      bool // drop the rest of the line
}

// Feed processes the next bytes of the stream. It calls message with each complete line, without
// its line feed, and whether a Delimiter is directly before the line. The line is valid during
// the call. Empty lines are skipped. A line longer than limit bytes is dropped, and tooLong is
// called once for it. If limit is 0, all input is dropped, and tooLong is not called.
func (l *Lines) Feed(data []byte, limit int, message func(line []byte, delimited bool), tooLong func()) {
	for len(data) > 0 {
		part, rest, ends := bytes.Cut(data, []byte{'\n'})
		for {
			before, after, delimited := bytes.Cut(part, []byte{Delimiter})
			l.add(before, limit, tooLong)
			if !delimited {
				break
			}
			l.reset(true) // drops an incomplete message before the delimiter
			part = after
		}
		if ends {
			l.end(message)
		}
		data = rest
	}
}

// add appends a part of the line.
func (l *Lines) add(part []byte, limit int, tooLong func()) {
	switch {
	case l.skip:
	case limit == 0:
		l.skip = len(part) > 0 || len(l.line) > 0
		l.line = l.line[:0]
	case len(l.line)+len(part) > limit:
		l.line, l.skip = nil, true
		tooLong()
	default:
		l.line = append(l.line, part...)
	}
}

// end ends the line.
func (l *Lines) end(message func(line []byte, delimited bool)) {
	line, delimited := bytes.TrimSuffix(l.line, []byte("\r")), l.delimited
	l.reset(false)
	if len(line) > 0 {
		message(line, delimited)
	}
}

// reset begins a new line. It frees a large buffer.
func (l *Lines) reset(delimited bool) {
	if cap(l.line) > keptRoom {
		l.line = nil
	}
	l.line, l.delimited, l.skip = l.line[:0], delimited, false
}
