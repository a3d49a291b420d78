package main

import (
	"bytes"

	"microvm-console/internal/journal"
	"microvm-console/internal/relayd"
)

// console is a channel that the guest's kernel may print to.
type console struct{ *relayd.Lease }

// start returns the offset at which the boot began.
func (c console) start() int64 { return c.Relay.Consoles[0].Relay.Start }

func (c console) journal() (*journal.Snapshot, error) {
	return journal.TakeSnapshot(c.Relay.Consoles[0].Relay.Journal)
}

// printedTries is how often printed looks while bytes are on their way to the journal.
const printedTries = 100

// printed returns the offset behind the newest byte that QEMU has printed, whether it is
// in the journal or still in the FIFO. While QEMU prints it is a little less.
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
		// What left the FIFO meanwhile would be missing.
		if before.End() == after.End() || try == printedTries {
			return before.End() + unread, nil
		}
	}
}

// text returns what is in the journal from offset start to end, without what is no longer
// kept.
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
