package relayd

import (
	"bytes"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
)

// Start returns the offset at which the boot began.
func (l *Lease) Start() int64 { return l.Relay.Consoles[0].Relay.Start }

func (l *Lease) journal() (*journal.Snapshot, error) {
	return journal.Look(l.Relay.Consoles[0].Relay.Journal)
}

// maxTries is how often Printed tries again while bytes are on their way to the journal.
const maxTries = 100

// Printed returns the offset behind the newest byte that QEMU has printed, whether it is
// in the journal or still in the FIFO. While QEMU prints it is a little less.
func (l *Lease) Printed() (int64, error) {
	end := int64(-1)
	for try := 0; ; try++ {
		unread := int64(descriptor.Unread(l.out))
		kept, err := l.journal()
		if err != nil {
			return 0, err
		}
		// What has left the FIFO between two looks at the journal would be missing.
		if kept.End() == end || try == maxTries {
			return end + unread, nil
		}
		end = kept.End()
	}
}

// Text returns what is in the journal from offset start to end, without what is no longer
// kept.
func (l *Lease) Text(start, end int64) ([]byte, error) {
	kept, err := l.journal()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := kept.Copy(&text, start, end); err != nil && !journal.Missing(err) {
		return nil, err
	}
	return text.Bytes(), nil
}
