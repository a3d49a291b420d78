package consoletest

import (
	"fmt"
	"slices"
)

// keptBytes is how much of its newest output a Console keeps, and beginning how many first bytes.
const keptBytes, beginning = 16 << 20, 4096

// output is what was read from a console. A position in it counts all bytes, also those that are not
// kept.
type output struct {
	keep  int // how many bytes are kept at least, if there are as many
	first []byte
	text  []byte // the newest bytes
	start int    // the position of text
}

func (o *output) add(data []byte) {
	o.first = append(o.first, data[:min(len(data), beginning-len(o.first))]...)
	o.text = append(o.text, data...)
	if drop := len(o.text) - o.keep; drop > o.keep/2 { // seldom, as it copies
		o.text = slices.Clone(o.text[drop:])
		o.start += drop
	}
}

// end returns the position after the last byte.
func (o *output) end() int { return o.start + len(o.text) }

// from returns what is kept of the output from a position on.
func (o *output) from(at int) []byte { return o.text[max(0, at-o.start):] }

// partly adds to err, of a search from a position on, that a part of the output was not searched.
func (c *Console) partly(at int, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil || at >= c.output.start {
		return err
	}
	return fmt.Errorf("%w (only the last %d MiB of %s are searched)", err, c.output.keep>>20, c.Device)
}
