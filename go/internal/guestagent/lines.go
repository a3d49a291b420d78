package guestagent

import "bytes"

// keptRoom is how much room a Lines keeps for the next line, in bytes.
const keptRoom = 64 << 10

// Lines cuts a stream into messages. The zero value is ready. It keeps no more
// than one message of the size that each Feed allows.
type Lines struct {
	line      []byte
	delimited bool // a Delimiter stands right before the line
	skip      bool // the rest of the line is dropped
}

// Feed takes the next bytes of the stream and calls message for each line that
// they complete: without its line feed, and whether a Delimiter stood right before
// it. The line is valid during the call. An empty line is none. A line of more
// than limit bytes is dropped, and told once by tooLong; limit 0 drops all that
// comes, without a word.
func (l *Lines) Feed(data []byte, limit int, message func(line []byte, delimited bool), tooLong func()) {
	for len(data) > 0 {
		part, rest, ends := bytes.Cut(data, []byte{'\n'})
		for {
			before, after, delimited := bytes.Cut(part, []byte{Delimiter})
			l.add(before, limit, tooLong)
			if !delimited {
				break
			}
			l.reset(true) // whatever came before it was the middle of something
			part = after
		}
		if ends {
			l.end(message)
		}
		data = rest
	}
}

// add adds a part of a line.
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

// end ends a line.
func (l *Lines) end(message func(line []byte, delimited bool)) {
	line, delimited := bytes.TrimSuffix(l.line, []byte("\r")), l.delimited
	l.reset(false)
	if len(line) > 0 {
		message(line, delimited)
	}
}

// reset begins a line. The room of a long one is given back.
func (l *Lines) reset(delimited bool) {
	if cap(l.line) > keptRoom {
		l.line = nil
	}
	l.line, l.delimited, l.skip = l.line[:0], delimited, false
}
