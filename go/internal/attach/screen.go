package attach

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// output is where the guest's bytes go.
type output struct {
	w         io.Writer
	terminal  bool // w is a terminal: it is protected, and put back
	questions bool // what the terminal answers reaches the guest
	raw       bool
	filter    Filter
	stamps    *stamps   // nil: none
	asked     time.Time // when the guest last asked the terminal something
	buffer    []byte
	restored  bool        // nothing was written since the terminal was put back
	within    atomic.Bool // the last byte was not the end of a line
}

// newOutput returns an output to w. keys reports whether a keyboard is beside the terminal.
func newOutput(w io.Writer, o Options, terminal, keys bool) *output {
	out := &output{
		w:         w,
		terminal:  terminal,
		questions: keys && !o.readOnly(),
		raw:       o.Raw,
	}
	if o.Timestamps {
		out.stamps = &stamps{now: time.Now}
	}
	return out
}

// write writes what the guest has printed from offset on. live reports whether it did so
// just now.
func (o *output) write(data []byte, offset int64, live bool) error {
	o.buffer, o.restored = o.buffer[:0], false
	if o.stamps == nil {
		o.shown(data, live)
	} else {
		o.stamped(data, offset, live)
	}
	if n := len(o.buffer); n > 0 {
		o.within.Store(o.buffer[n-1] != '\n')
	}
	return o.flush()
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

// quiet ends what has a terminal send things by itself: mouse and focus.
const quiet = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l"

// restore shows what stamps still hold back, and puts the terminal back. More may be
// written afterwards.
func (o *output) restore() error {
	if o.restored {
		return nil
	}
	o.buffer, o.restored = o.buffer[:0], true
	if o.stamps != nil {
		o.showReturns(false)
		o.stamps.place = begins
	}
	if o.terminal {
		o.buffer = o.filter.AppendRestore(o.buffer)
		if o.raw {
			o.buffer = append(o.buffer, quiet...)
		}
	}
	return o.flush()
}

// flush writes what is in the buffer.
func (o *output) flush() error {
	if len(o.buffer) == 0 {
		return nil
	}
	if _, err := o.w.Write(o.buffer); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
