package vm

import (
	"fmt"
	"slices"
	"time"

	"microvm-console/internal/plaintext"
	"microvm-console/internal/state"
)

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

// become changes the machine's state, in status and in state.json.
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

// listener returns what hands on what console i prints to the guest's state.
func (v *VM) listener(i int) func(data []byte, end int64) {
	return func(data []byte, end int64) {
		for _, text := range v.guest.Print(i, data, end, time.Now()) {
			v.noteOnce(text)
		}
		if len(data) > 0 {
			notify(v.spoke)
		}
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
	booting := v.status.State == state.Booting
	v.mu.Unlock()
	if booting && v.guest.Greet(time.Now()) {
		_ = v.become(state.Ready) // status shows it all the same
	}
}

// wasReset is called when the guest's machine was reset: what it prints from here on is
// its next boot's.
func (v *VM) wasReset() {
	v.guest.Reset(v.written(), time.Now())
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.windows {
		w.given = size{}
	}
}

// noteSilence notes what to look at if no console has printed anything.
func (v *VM) noteSilence() {
	if !v.guest.Silent() {
		return
	}
	v.note(fmt.Sprintf("no console has printed anything for %v (if this host is not just busy, look at console= in kernelParams and QEMU's "+
		"arguments, at the kernel, which has to be a bzImage with drivers for these consoles, and try --accel tcg)", v.options.Silence))
}
