package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// recordBytes is the size of a record, a line that begins with its number.
const recordBytes = 128

// headBytes is the size of the number in a record: # and hex digits.
const headBytes = 16

// head returns the head of a record.
func head(number int64) (h [headBytes]byte) {
	copy(h[:], fmt.Sprintf("#%015x", number))
	return h
}

// increment makes h the head of the next record. Formatting the number would cost more time than
// everything else that a client does.
func increment(h *[headBytes]byte) {
	for i := headBytes - 1; i > 0; i-- {
		switch h[i] {
		case '9':
			h[i] = 'a'
			return
		case 'f':
			h[i] = '0'
		default:
			h[i]++
			return
		}
	}
}

// writer fills blocks with the records of a stream.
type writer struct {
	next  [headBytes]byte
	block []byte
}

// newWriter returns a writer of blocks of size bytes, a multiple of recordBytes.
func newWriter(size int) *writer {
	line := append(bytes.Repeat([]byte{'.'}, recordBytes-1), '\n')
	return &writer{next: head(0), block: bytes.Repeat(line, size/recordBytes)}
}

// fill returns the next block, which is valid until the next call.
func (w *writer) fill() []byte {
	for at := 0; at < len(w.block); at += recordBytes {
		copy(w.block[at:], w.next[:])
		increment(&w.next)
	}
	return w.block
}

// checker counts the records that a client receives. Its zero value is not usable.
type checker struct {
	expected [headBytes]byte
	next     int64 // the number of the next record
	got      int64 // records that are not repeated
	repeated int64
	part     []byte // of a record
}

func newChecker() *checker { return &checker{expected: head(0)} }

// take checks data that a client has read.
func (c *checker) take(data []byte) {
	if len(c.part) > 0 {
		missing := min(recordBytes-len(c.part), len(data))
		c.part = append(c.part, data[:missing]...)
		data = data[missing:]
		if len(c.part) < recordBytes {
			return
		}
		rest := c.records(c.part)
		if c.part = append(c.part[:0], rest...); len(c.part) > 0 {
			c.take(data)
			return
		}
	}
	c.part = append(c.part[:0], c.records(data)...)
}

// records counts all whole records and returns the rest. It skips everything else, such as a
// greeting.
func (c *checker) records(data []byte) []byte {
	for len(data) >= recordBytes {
		if [headBytes]byte(data) == c.expected && data[recordBytes-1] == '\n' {
			increment(&c.expected)
			c.next++
			c.got++
			data = data[recordBytes:]
			continue
		}
		if c.jump(data) {
			continue
		}
		begin := bytes.IndexByte(data[1:], '#')
		if begin < 0 {
			return nil
		}
		data = data[1+begin:]
	}
	return data
}

// jump sets the next record to the one that data begins with, and reports whether there is one.
// A repeated record is counted, and the result is false.
func (c *checker) jump(data []byte) bool {
	number, err := strconv.ParseInt(string(data[1:headBytes]), 16, 64)
	if err != nil || data[0] != '#' || data[recordBytes-1] != '\n' {
		return false
	}
	if number < c.next {
		c.repeated++
		return false
	}
	c.next, c.expected = number, head(number)
	return true
}
