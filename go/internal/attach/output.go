package attach

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"microvm-console/internal/journal"
)

// output is where the guest's bytes go.
type output struct {
	w         io.Writer
	terminal  bool // w is a terminal: it is protected, and put back
	keys      bool // a keyboard is at its side
	questions bool // and what the terminal answers reaches the guest
	raw       bool
	filter    Filter
	stamps    *stamps   // nil: none
	asked     time.Time // when the guest last asked the terminal something
	buffer    []byte
}

func newOutput(w io.Writer, o Options, terminal, keys bool) *output {
	out := &output{
		w:         w,
		terminal:  terminal,
		keys:      keys,
		questions: keys && !o.readOnly(),
		raw:       o.Raw,
	}
	if o.Timestamps {
		out.stamps = &stamps{now: time.Now}
	}
	return out
}

// write writes what the guest has printed from offset on. live tells that it
// did so just now.
func (o *output) write(data []byte, offset int64, live bool) error {
	o.buffer = o.buffer[:0]
	if o.stamps == nil {
		o.shown(data, live)
	} else {
		o.stamped(data, offset, live)
	}
	if len(o.buffer) == 0 {
		return nil
	}
	if _, err := o.w.Write(o.buffer); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// shown puts into the buffer what of data may be shown.
func (o *output) shown(data []byte, live bool) {
	if !o.terminal {
		o.buffer = append(o.buffer, data...)
		return
	}
	// Also where its result is not used, the filter keeps track of modes.
	before := len(o.buffer)
	o.buffer = o.filter.Append(o.buffer, data, live && o.questions)
	if o.filter.Asked() {
		o.asked = time.Now()
	}
	if o.raw {
		o.buffer = append(o.buffer[:before], data...)
	}
}

// stamped is shown with a time before each line.
func (o *output) stamped(data []byte, offset int64, live bool) {
	for line := range bytes.Lines(data) {
		o.buffer = o.stamps.append(o.buffer, line, offset, live)
		o.shown(line, live)
		offset += int64(len(line))
	}
}

// quiet ends what has a terminal send things by itself: mouse and focus.
const quiet = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l"

// close puts the terminal back.
func (o *output) close() error {
	if !o.terminal {
		return nil
	}
	restore := o.filter.AppendRestore(nil)
	if o.raw {
		restore = append(restore, quiet...)
	}
	if _, err := o.w.Write(restore); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// stampForm is how a time is shown, in local time.
const stampForm = "15:04:05.000 "

// stamps begins lines with the time at which their first byte came.
type stamps struct {
	now    func() time.Time
	past   journal.Times // of what is not live
	middle bool          // of a line
}

// append appends the stamp of data, which is at offset and at most a line, where
// it begins one. A line of the past whose time is not known gets blanks.
func (s *stamps) append(dst, data []byte, offset int64, live bool) []byte {
	middle := s.middle
	s.middle = data[len(data)-1] != '\n'
	if middle {
		return dst
	}
	when := s.past.At(offset)
	if live {
		when = s.now()
	}
	if when.IsZero() {
		return append(dst, strings.Repeat(" ", len(stampForm))...)
	}
	return when.Local().AppendFormat(dst, stampForm)
}
