package guestagent

import "bytes"

// Lines cuts a stream into messages. The zero value is ready. It keeps no more
// than one message of the size that each Feed allows.
type Lines struct {
	line      []byte
	delimited bool // a Delimiter stands right before the line
	skip      bool // the rest of the line is dropped
}

// Feed takes the next bytes of the stream and calls message for each line that
// they complete: without its line feed, and whether a Delimiter stood right before
// it. The line is the callee's to keep. An empty line is none. A line of more
// than limit bytes is dropped, and told once by tooLong; limit 0 drops all that
// comes, without a word.
func (l *Lines) Feed(data []byte, limit int, message func(line []byte, delimited bool), tooLong func()) {
	for len(data) > 0 {
		end := lineEnd(data)
		if end < 0 {
			l.add(data, limit, tooLong)
			return
		}
		l.add(data[:end], limit, tooLong)
		if data[end] == Delimiter {
			l.reset(true) // whatever came before it was the middle of something
		} else {
			l.end(message)
		}
		data = data[end+1:]
	}
}

// add adds a part of a line.
func (l *Lines) add(part []byte, limit int, tooLong func()) {
	switch {
	case l.skip:
	case limit == 0:
		l.line, l.skip = nil, len(part) > 0 || len(l.line) > 0
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

// reset begins a line.
func (l *Lines) reset(delimited bool) {
	l.line, l.delimited, l.skip = nil, delimited, false
}

// lineEnd is where data has its first line feed or Delimiter; -1: nowhere.
func lineEnd(data []byte) int {
	feed := bytes.IndexByte(data, '\n')
	before := data
	if feed >= 0 {
		before = data[:feed]
	}
	if at := bytes.IndexByte(before, Delimiter); at >= 0 {
		return at
	}
	return feed
}
