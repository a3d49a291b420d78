package relay

import (
	"bytes"
	"fmt"
)

// streamChecker compares what a client gets with the journal, as it comes. It finds the
// offset of the first byte by the numbers of the lines.
type streamChecker struct {
	journal *journalFiles
	offset  int64 // of the next byte; -1: it is not known yet
	boot    bool  // it has to begin with the first byte of a boot
	head    []byte
	bytes   int64
}

// Write takes what the client gets. It fails at the first byte that is wrong.
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
		err = fmt.Errorf("it begins with line %d", number)
	}
	if err == nil {
		f.offset = offset - int64(begin)
	}
	return err
}
