package vm

import (
	"fmt"
	"slices"
	"time"

	"microvm-console/internal/plaintext"
	"microvm-console/internal/state"
)

// boot is what is known of the guest since it started, or restarted.
type boot struct {
	began    time.Time
	login    string      // the first console with a login on it: "ttyS0"
	port     bool        // the guest has its agent's port open
	restarts []time.Time // of a guest that has not been ready since
}

const (
	// silence is how long the consoles may print nothing at first: many times what
	// a kernel needs to its first line, emulated too.
	silence = 10 * time.Second
	// maxNotes is how many notes are kept, the newest ones: more than
	// maxWarnings, so that QEMU does not push out those about the guest.
	maxNotes = 40
	// notesAtOnce is how many notes a guest, or the clients of its consoles, can cause
	// within notesWithin: each one is a line of the log and a write of state.json.
	notesAtOnce = 20
	notesWithin = time.Minute
)

// become changes the machine's state, and tells it in status and in state.json.
// From "stopping" there is no way back.
func (v *VM) become(next string) error {
	v.mu.Lock()
	if v.status.State != state.Stopping {
		v.status.State = next
	}
	close(v.changed)
	v.changed = make(chan struct{})
	v.mu.Unlock()
	return v.writeState()
}

// note tells something that the user should know, in a line of printable characters
// and in status.
func (v *VM) note(text string) {
	text = plaintext.Line(text)
	v.options.Log(text)
	v.mu.Lock()
	notes := append(v.status.Notes, state.Note{Time: time.Now(), Text: text})
	v.status.Notes = slices.Clone(notes[max(0, len(notes)-maxNotes):])
	v.mu.Unlock()
	_ = v.writeState() // it stands in status all the same
}

// listener returns what hears a console: it looks for what tells of the guest's
// state.
func (v *VM) listener(t *tap) func([]byte) {
	var text lines
	heard := int64(0)
	return func(data []byte) {
		for len(data) > 0 {
			// What the guest printed before it restarted tells nothing of now.
			part := data
			if left := t.restarted.Load() - heard; left > 0 && left < int64(len(data)) {
				part = data[:left]
			}
			login, killed := text.feed(part)
			heard, data = heard+int64(len(part)), data[len(part):]
			v.mu.Lock()
			if login && t.console.HasLogin() && heard > t.restarted.Load() && v.boot.login == "" {
				v.boot.login = t.console.Device
			}
			v.mu.Unlock()
			for _, text := range killed {
				v.noteOnce(text)
			}
		}
		notify(v.spoke)
	}
}

// noteOnce is note for what a guest or a client can cause as often as it likes. It does
// nothing if the last note says the same, since each console may show it. Of more than
// notesAtOnce within notesWithin only the number is noted, by noteMore.
func (v *VM) noteOnce(text string) {
	text = plaintext.Line(text)
	v.mu.Lock()
	notes := v.status.Notes
	again := len(notes) > 0 && notes[len(notes)-1].Text == text
	if !again {
		v.noted++
	}
	quiet := again || v.noted > notesAtOnce
	v.mu.Unlock()
	if !quiet {
		v.note(text)
	}
}

// noteMore notes how many notes there were beyond notesAtOnce since the last call, and
// begins to count again. It is called every notesWithin, and when QEMU has ended.
func (v *VM) noteMore() {
	v.mu.Lock()
	more := v.noted - notesAtOnce
	v.noted = 0
	v.mu.Unlock()
	if more > 0 {
		v.note(fmt.Sprintf("and %d more notes within a minute", more))
	}
}

// greet finds out whether the guest is ready.
func (v *VM) greet() {
	v.mu.Lock()
	by := ""
	switch {
	case v.status.Agent:
		by = "agent"
	case v.boot.login != "":
		by = "login on " + v.boot.login
	}
	fresh := by != "" && v.status.State == state.Booting
	if fresh {
		v.status.ReadyBy, v.status.ReadySeconds = by, time.Since(v.boot.began).Seconds()
		v.boot.restarts = nil
	}
	v.mu.Unlock()
	if fresh {
		_ = v.become(state.Ready) // it stands in status all the same
	}
}

// resetTold is called when the guest restarts: what it prints from here on is
// its next boot's.
func (v *VM) resetTold() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, tap := range v.taps {
		tap.restarted.Store(tap.written())
	}
	now := time.Now()
	late := func(then time.Time) bool { return now.Sub(then) > loopTime }
	v.status.Restarts++
	v.status.Agent = false
	for _, w := range v.windows {
		w.given = size{}
	}
	v.boot = boot{began: now, restarts: append(slices.DeleteFunc(v.boot.restarts, late), now)}
}

// rebooted tells of a restart in the status, how often the guest has restarted
// within loopTime without becoming ready, and since when.
func (v *VM) rebooted() (again int, since time.Duration) {
	v.mu.Lock()
	v.status.ReadyBy, v.status.ReadySeconds = "", 0
	restarts := v.boot.restarts
	if len(restarts) > 0 {
		again, since = len(restarts), time.Since(restarts[0])
	}
	v.mu.Unlock()
	_ = v.become(state.Booting) // it stands in status all the same
	return again, since
}

// noteSilence says what to look at where no console has printed anything.
func (v *VM) noteSilence() {
	for _, tap := range v.taps {
		if _, printed := tap.tail(); printed > 0 {
			return
		}
	}
	v.note(fmt.Sprintf("no console has printed anything for %v (if this host is not just busy, look at console= in kernelParams and QEMU's "+
		"arguments, at the kernel, which has to be a bzImage with drivers for these consoles, and try --accel tcg)", v.options.Silence))
}
