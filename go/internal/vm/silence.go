package vm

import (
	"fmt"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

// silenceLimit is the default of Options.Silence: many times what a kernel needs to print its first
// line, even under TCG.
const silenceLimit = 10 * time.Second

// silence notes what to check while no console has printed anything.
type silence struct {
	qemu   *qemuProcess
	guest  *guest.Guest
	record *record
	limit  time.Duration // see Options.Silence
}

// run returns when a console has printed something, and then withdraws the note, or when QEMU has
// ended.
func (s silence) run() {
	timer := time.NewTimer(s.limit)
	defer timer.Stop()
	noted, paused := "", false
	for {
		now, changed := s.record.now()
		if now.Paused != paused {
			paused = now.Paused
			timer.Reset(s.limit)
		}
		select {
		case <-s.qemu.done():
			return
		case <-s.guest.Printed():
			s.record.withdraw(noted)
			return
		case <-changed:
		case <-timer.C:
			if text := s.advice(now); text != "" && text != noted {
				s.record.withdraw(noted)
				s.record.note(text)
				noted = text
			}
			timer.Reset(s.limit)
		}
	}
}

// advice returns what to check. It returns "" if the guest works, as its agent shows, or if gdb may
// have paused it, which the status shows.
func (s silence) advice(now state.Machine) string {
	switch {
	case now.Agent, now.Paused && s.qemu.gdb.serves():
		return ""
	case now.Paused:
		return `QEMU is paused (-S): attach gdb or type "cont" in the monitor`
	}
	advice := "check that the kernel has drivers for these consoles, and console= in kernelParams and QEMU's arguments"
	if !s.qemu.linux {
		advice = `check that the guest prints on these consoles; for an image, add "-machine", "graphics=off" to qemuArgs to see the messages of the BIOS on ttyS0`
	}
	if s.qemu.kvm {
		advice += ", or try --accel tcg"
	}
	return fmt.Sprintf("no console has printed anything for %v: if the host is not busy, %s", s.limit, advice)
}
