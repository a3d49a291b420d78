// Package numbered is the oracle for bytes in tests: a stream of numbered
// lines, of which none may be missing, none repeated, and all in order.
package numbered

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Write writes the lines from up to, not including, to, many at a time.
func Write(w io.Writer, from, to int) error {
	var block []byte
	for n := from; n < to; n++ {
		block = Append(block, n)
		if len(block) > 32<<10 || n == to-1 {
			if _, err := w.Write(block); err != nil {
				return err
			}
			block = block[:0]
		}
	}
	return nil
}

// Append appends one line.
func Append(text []byte, n int) []byte {
	text = append(text, "line "...)
	text = strconv.AppendInt(text, int64(n), 10)
	return append(text, '\n')
}

// Checker checks what is written to it against the lines from Next on. Carriage
// returns, which terminals add, are passed over. The zero value expects line 0.
type Checker struct {
	Next    int // the line that is to come
	partial []byte
}

// Write takes a part of the stream; its error is the first line that is wrong.
func (c *Checker) Write(data []byte) (int, error) {
	c.partial = append(c.partial, bytes.ReplaceAll(data, []byte("\r"), nil)...)
	rest := c.partial
	var want []byte
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			c.partial = append(c.partial[:0], rest...)
			return len(data), nil
		}
		line := rest[:end+1]
		if want = Append(want[:0], c.Next); !bytes.Equal(line, want) {
			return 0, fmt.Errorf("got %q, want %q", line, want)
		}
		c.Next++
		rest = rest[end+1:]
	}
}

// Whole tells whether the stream has ended behind line last-1, and at its end.
func (c *Checker) Whole(last int) error {
	if c.Next != last || len(c.partial) > 0 {
		return fmt.Errorf("the stream ends with line %d and %q, want line %d", c.Next-1, c.partial, last-1)
	}
	return nil
}
