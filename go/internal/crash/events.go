package crash

import (
	"os"

	"microvm-console/internal/kevent"
)

// event is an event that the guest's kernel has printed on a console. Begin and End are offsets in
// the console's file of the bundle.
type event struct {
	Console string `json:"console"`
	kevent.Event
}

// events adds the events in the consoles' files.
func (s Source) events(b *bundle) {
	found := []event{}
	for _, c := range s.Consoles {
		file, err := os.Open(b.path(c.Name + ".log"))
		if err != nil {
			continue // its absence is a problem already
		}
		err = kevent.Scan(file, 0, func(e kevent.Event) error {
			found = append(found, event{c.Name, e})
			return nil
		})
		file.Close()
		if err != nil {
			b.problem("events", err)
		}
	}
	b.add("events.json", "what the kernel has reported on its consoles: panics, oopses, warnings", asJSON(found))
}
