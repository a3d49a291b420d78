package attach

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// output writes the guest's bytes.
type output struct {
	w         io.Writer
	terminal  bool // w is a terminal, so the output is filtered and restored at the end
	questions bool // the answers of the terminal reach the guest
	raw       bool
	filter    Filter
	stamps    *stamps   // nil: none
	asked     time.Time // when the guest last asked the terminal something
	buffer    []byte
	restored  bool        // nothing was written since the terminal was restored
	within    atomic.Bool // the last byte was not the end of a line
}

// newOutput returns an output to w. keys reports whether the input is a terminal too.
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

// write writes bytes of the guest that begin at offset. live reports whether the guest
// prints them now.
func (o *output) write(data []byte, offset int64, live bool) error {
	o.buffer, o.restored = o.buffer[:0], false
	if o.stamps == nil {
		o.append(data, live)
	} else {
		o.appendStamped(data, offset, live)
	}
	if n := len(o.buffer); n > 0 {
		o.within.Store(o.buffer[n-1] != '\n')
	}
	return o.flush()
}

// append appends data to the buffer, filtered if the output is a terminal.
func (o *output) append(data []byte, live bool) {
	if !o.terminal {
		o.buffer = append(o.buffer, data...)
		return
	}
	// With raw only the modes that the filter records are used, not its result.
	before := len(o.buffer)
	o.buffer = o.filter.Append(o.buffer, data, live && o.questions)
	if o.filter.Asked() {
		o.asked = time.Now()
	}
	if o.raw {
		o.buffer = append(o.buffer[:before], data...)
	}
}

// quiet resets the modes in which a terminal sends data by itself: mouse and focus.
const quiet = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l"

// restore writes what stamps hold back, and restores the terminal. More may be written
// afterwards.
func (o *output) restore() error {
	if o.restored {
		return nil
	}
	o.buffer, o.restored = o.buffer[:0], true
	if o.stamps != nil {
		o.appendReturns(false)
		o.stamps.place = atStart
	}
	if o.terminal {
		o.buffer = o.filter.AppendRestore(o.buffer)
		if o.raw {
			o.buffer = append(o.buffer, quiet...)
		}
	}
	return o.flush()
}

// flush writes the buffer.
func (o *output) flush() error {
	if len(o.buffer) == 0 {
		return nil
	}
	if _, err := o.w.Write(o.buffer); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
