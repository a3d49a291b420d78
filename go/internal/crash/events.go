package crash

import (
	"io"

	"microvm-console/internal/kevent"
)

// event is an event that the guest's kernel has printed on a console. Begin and End are offsets in
// the console's file of the bundle.
type event struct {
	Console string `json:"console"`
	kevent.Event
}

// output is the output of a console. It is written to a file, and has events and gaps.
type output struct {
	file    io.Writer
	console string
	scanner kevent.Scanner
	events  []event
	missing int64 // bytes
	unknown bool  // more bytes may be missing
}

func (o *output) Write(data []byte) (int, error) {
	n, err := o.file.Write(data)
	o.found(o.scanner.Feed(data[:n]))
	return n, err
}

// gap ends the open reports, because bytes are missing: how many, or -1 if that is unknown. The
// file does not have them.
func (o *output) gap(bytes int64) {
	o.found(o.scanner.Skip(0))
	o.missing += max(0, bytes)
	o.unknown = o.unknown || bytes < 0
}

func (o *output) found(events []kevent.Event) {
	for _, e := range events {
		o.events = append(o.events, event{o.console, e})
	}
}
