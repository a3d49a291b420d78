package vm

import (
	"fmt"
	"time"

	"microvm-console/internal/state"
)

// silence is how long the consoles may print nothing at first: many times what
// a kernel needs to its first line, emulated too.
const silence = 10 * time.Second

// listener returns what hands on what console i prints to the guest's state.
func (v *VM) listener(i int) func(data []byte, end int64) {
	return func(data []byte, end int64) {
		for _, text := range v.guest.Print(i, data, end, time.Now()) {
			v.record.noteLimited(text)
		}
		if len(data) > 0 {
			notify(v.events.spoke)
		}
	}
}

// greet finds out whether the guest is ready.
func (v *VM) greet() {
	if now, _ := v.record.now(); now.State == state.Booting && v.guest.CheckReady(time.Now()) {
		_ = v.record.become(state.Ready) // status shows it all the same
	}
}

// wasReset is called when the guest's machine was reset: what it prints from here on is
// its next boot's.
func (v *VM) wasReset() {
	v.guest.Reset(v.written(), time.Now())
	v.windows.forget()
}

// noteSilence notes what to look at if no console has printed anything.
func (v *VM) noteSilence() {
	if !v.guest.Silent() {
		return
	}
	v.record.note(fmt.Sprintf("no console has printed anything for %v (if this host is not just busy, look at console= in kernelParams and QEMU's "+
		"arguments, at the kernel, which has to be a bzImage with drivers for these consoles, and try --accel tcg)", v.options.Silence))
}
