package attach

import (
	"fmt"
	"io"
	"time"
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
	stamped   []byte
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

// write writes what the guest has printed. live tells that it did so just now.
func (o *output) write(data []byte, live bool) error {
	if o.terminal {
		// Also where its result is not used, the filter keeps track of modes.
		o.buffer = o.filter.Append(o.buffer[:0], data, live && o.questions)
		if o.filter.Asked() {
			o.asked = time.Now()
		}
		if !o.raw {
			data = o.buffer
		}
	}
	if o.stamps != nil {
		o.stamped = o.stamps.append(o.stamped[:0], data, live)
		data = o.stamped
	}
	if len(data) == 0 {
		return nil
	}
	if _, err := o.w.Write(data); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
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

// stamps begins lines with the time.
type stamps struct {
	now    func() time.Time
	middle bool // of a line
}

// append appends src to dst. A line of the past, whose time is not known, gets
// no stamp.
func (s *stamps) append(dst, src []byte, live bool) []byte {
	for _, c := range src {
		if !s.middle && live {
			dst = s.now().AppendFormat(dst, "15:04:05.000 ")
		}
		s.middle = c != '\n'
		dst = append(dst, c)
	}
	return dst
}
