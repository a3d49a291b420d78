package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/state"
	"microvm-console/internal/vmconfig"
)

const (
	// maxNotes is how many notes are kept, the newest ones. It is more than maxWarnings, so
	// that QEMU's warnings do not displace the notes about the guest.
	maxNotes = 40
	// notesAtOnce is how many notes the guest, or the clients of its consoles, can cause
	// within notesWithin. Each note is a line of the log and a write of state.json.
	notesAtOnce = 20
	notesWithin = time.Minute
)

// record holds what a VM shows of itself, in its status, in state.json, and in the log.
type record struct {
	path   string            // of state.json
	log    func(line string) // see Options
	detail func(line string) // log if Options.Verbose is set; else it does nothing
	guest  *guest.Guest

	writing sync.Mutex // held while state.json is written

	mu      sync.Mutex
	machine state.Machine // without the fields of the guest's state and the relays
	changed chan struct{} // closed and replaced when State, Ended or the guest's state changes
	limited int           // notes of noteLimited since the last noteMore
}

func newRecord(path string, options Options, g *guest.Guest, name string) *record {
	detail := func(string) {}
	if options.Verbose {
		detail = options.Log
	}
	return &record{
		path: path, log: options.Log, detail: detail, guest: g, changed: make(chan struct{}),
		machine: state.Machine{Name: name, State: state.Starting, PID: os.Getpid(), Started: time.Now()},
	}
}

// now returns what is shown, and a channel that is closed when that changes.
func (r *record) now() (state.Machine, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shown, g := r.machine, r.guest.State()
	shown.Agent, shown.Restarts = g.Agent, g.Restarts
	shown.ReadyBy, shown.ReadySeconds = g.ReadyBy, g.ReadySeconds
	shown.Consoles, shown.Notes = slices.Clone(shown.Consoles), slices.Clone(shown.Notes)
	return shown, r.changed
}

// set changes what is shown. The next write saves the change in state.json.
func (r *record) set(change func(*state.Machine)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.machine)
}

// end sets how the VM has ended.
func (r *record) end(how string) error {
	r.set(func(m *state.Machine) { m.Ended = how })
	return r.publish()
}

// setConsoles sets the consoles and their ports.
func (r *record) setConsoles(consoles []vmconfig.Console) {
	shown := make([]state.Console, len(consoles))
	for i, c := range consoles {
		shown[i] = state.Console{Name: c.Name, Device: c.Device, Port: c.Port}
	}
	r.set(func(m *state.Machine) { m.Consoles = shown })
}

// become changes the VM's state, unless the VM is being stopped.
func (r *record) become(next string) error {
	r.set(func(m *state.Machine) {
		if m.State != state.Stopping {
			m.State = next
		}
	})
	return r.publish()
}

// publish wakes the goroutines that wait for a change, and writes state.json.
func (r *record) publish() error {
	r.mu.Lock()
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	return r.write()
}

// write replaces state.json atomically: a reader gets the old or the new one, whole.
func (r *record) write() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	shown, _ := r.now()
	data, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		return err
	}
	fresh := r.path + ".new"
	if err := os.WriteFile(fresh, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, r.path)
}

// note adds a line for the user to the log and to the status, as printable characters.
func (r *record) note(text string) {
	text = plaintext.Line(text)
	r.log(text)
	r.set(func(m *state.Machine) {
		notes := append(m.Notes, state.Note{Time: time.Now(), Text: text})
		m.Notes = slices.Clone(notes[max(0, len(notes)-maxNotes):])
	})
	_ = r.write() // the status shows it even without the file
}

// withdraw removes a note that is no longer true from the status.
func (r *record) withdraw(text string) {
	text = plaintext.Line(text)
	r.set(func(m *state.Machine) {
		m.Notes = slices.DeleteFunc(slices.Clone(m.Notes), func(note state.Note) bool { return note.Text == text })
	})
	_ = r.write() // the status shows it even without the file
}

// noteLimited is note with a limit, for notes that a guest or a client can cause at will. It
// skips a text that is also the last note, since each console may print it. Beyond
// notesAtOnce notes within notesWithin it only counts; noteMore notes the number.
func (r *record) noteLimited(text string) {
	text = plaintext.Line(text)
	r.mu.Lock()
	notes := r.machine.Notes
	again := len(notes) > 0 && notes[len(notes)-1].Text == text
	if !again {
		r.limited++
	}
	quiet := again || r.limited > notesAtOnce
	r.mu.Unlock()
	if !quiet {
		r.note(text)
	}
}

// noteMore notes how many notes noteLimited has skipped since the last call, if any. It is
// called every notesWithin, and when QEMU has ended.
func (r *record) noteMore() {
	r.mu.Lock()
	more := r.limited - notesAtOnce
	r.limited = 0
	r.mu.Unlock()
	if more > 0 {
		r.note(fmt.Sprintf("and %d more notes within a minute", more))
	}
}
