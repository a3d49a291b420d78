package relayd

import (
	"bytes"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
)

// Start returns the offset at which the boot began.
func (s *Lease) Start() int64 { return s.Relay.Consoles[0].Relay.Start }

func (s *Lease) journal() (*journal.Snapshot, error) {
	return journal.Look(s.Relay.Consoles[0].Relay.Journal)
}

// settleTries is how often Printed looks while bytes are on their way to the journal.
const settleTries = 100

// Printed returns the offset behind the newest byte that QEMU has printed, whether it is
// in the journal or still in the FIFO. While QEMU prints it is a little less.
func (s *Lease) Printed() (int64, error) {
	for try := 1; ; try++ {
		before, err := s.journal()
		if err != nil {
			return 0, err
		}
		unread := int64(descriptor.Unread(s.out))
		after, err := s.journal()
		if err != nil {
			return 0, err
		}
		// What left the FIFO meanwhile would be missing.
		if before.End() == after.End() || try == settleTries {
			return before.End() + unread, nil
		}
	}
}

// Text returns what is in the journal from offset start to end, without what is no longer
// kept.
func (s *Lease) Text(start, end int64) ([]byte, error) {
	kept, err := s.journal()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := kept.Copy(&text, start, end); err != nil && !journal.Missing(err) {
		return nil, err
	}
	return text.Bytes(), nil
}
