package main

import (
	"bytes"

	"microvm-console/internal/journal"
	"microvm-console/internal/relayd"
)

// console is a channel to which the guest's kernel may print.
type console struct{ *relayd.Lease }

// start returns the offset at which the boot began.
func (c console) start() int64 { return c.Relay.Consoles[0].Relay.Start }

func (c console) journal() (*journal.Snapshot, error) {
	return journal.TakeSnapshot(c.Relay.Consoles[0].Relay.Journal)
}

// printedTries is how often printed tries while bytes move from the FIFO to the journal.
const printedTries = 100

// printed returns the offset after the newest byte that QEMU has printed, which is in the
// journal or still in the FIFO. While QEMU prints, the result may be too low.
func (c console) printed() (int64, error) {
	for try := 1; ; try++ {
		before, err := c.journal()
		if err != nil {
			return 0, err
		}
		unread := int64(c.Unread())
		after, err := c.journal()
		if err != nil {
			return 0, err
		}
		// Bytes that left the FIFO meanwhile are not in unread.
		if before.End() == after.End() || try == printedTries {
			return before.End() + unread, nil
		}
	}
}

// text returns the bytes of the journal from offset start to end. Bytes that the journal no
// longer has are left out.
func (c console) text(start, end int64) ([]byte, error) {
	kept, err := c.journal()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := kept.Copy(&text, start, end); err != nil && !journal.Missing(err) {
		return nil, err
	}
	return text.Bytes(), nil
}
