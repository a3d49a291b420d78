// Package numbered writes and checks streams of numbered lines. It is the tests' oracle for lost and
// repeated bytes: no line may be missing, repeated or out of order.
package numbered

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Write writes the lines from up to, but not including, to, in large blocks.
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

// Append appends line n.
func Append(text []byte, n int) []byte {
	text = append(text, "line "...)
	text = strconv.AppendInt(text, int64(n), 10)
	return append(text, '\n')
}

// Checker is a writer that compares its input with the lines from Next on. It ignores carriage
// returns, which terminals add. The zero value expects line 0.
type Checker struct {
	Next    int // the next line
	partial []byte
}

// Write checks a part of the stream. It returns an error for the first wrong line.
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

// Whole returns an error unless the stream has ended after the whole line last-1.
func (c *Checker) Whole(last int) error {
	if c.Next != last || len(c.partial) > 0 {
		return fmt.Errorf("the stream ends with line %d and %q, want line %d", c.Next-1, c.partial, last-1)
	}
	return nil
}
