package relay

import (
	"bytes"
	"fmt"
)

// streamChecker compares the bytes that a client receives with the journal at once. It finds the
// offset of the first byte by the numbers in the lines.
type streamChecker struct {
	journal *journalFiles
	offset  int64 // of the next byte; -1 if not known yet
	boot    bool  // the first byte must be that of a boot
	head    []byte
	bytes   int64
}

// Write checks data that the client has received. It fails at the first wrong byte.
func (f *streamChecker) Write(data []byte) (int, error) {
	f.bytes += int64(len(data))
	if f.offset < 0 {
		f.head = append(f.head, data...)
		if err := f.locate(); err != nil || f.offset < 0 {
			return len(data), err
		}
		data, f.head = f.head, nil
	}
	err := f.journal.compare(f.offset, data)
	f.offset += int64(len(data))
	return len(data), err
}

// locate finds the offset of head, if it has a whole line.
func (f *streamChecker) locate() error {
	begin := 0
	if !f.boot {
		begin = bytes.IndexByte(f.head, '\n') + 1
		if begin == 0 {
			return nil
		}
	}
	if len(f.head) < begin+lineBytes {
		return nil
	}
	offset, number, err := f.journal.find(f.head[begin : begin+lineBytes])
	if err == nil && f.boot && number != 0 {
		err = fmt.Errorf("begins with line %d", number)
	}
	if err == nil {
		f.offset = offset - int64(begin)
	}
	return err
}
