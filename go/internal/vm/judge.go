package vm

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// judge decides what has become of the guest, and ends QEMU where that is its
// end. It lives as long as QEMU, and is alone in changing what is known of the
// boot. Two things prove a panic: QEMU's event, which needs a driver in the guest, and a
// restart right behind the kernel's panic line. That line alone, which anybody can print,
// needs the silence of all consoles and of the agent; see panicByText.
func (v *VM) judge() {
	quiet := time.NewTimer(panicQuiet)
	defer quiet.Stop()
	silent := time.NewTimer(v.options.Silence)
	defer silent.Stop()
	more := time.NewTicker(notesWithin)
	defer more.Stop()
	for {
		select {
		case <-v.qemu.Done():
			return
		case <-v.spoke:
			quiet.Reset(panicQuiet)
			v.greet()
		case <-v.restarted:
			v.settle()
			v.condemn(v.restart())
			v.greet()
		case <-v.panicked:
			v.settle()
			v.condemn(v.panicTold())
		case <-v.halted:
			v.settle()
			v.condemn(v.whyHalted())
		case <-quiet.C:
			v.condemn(v.panicByText())
		case <-silent.C:
			v.noteSilence()
		case <-more.C:
			v.noteMore()
		}
	}
}

// condemn ends QEMU for what has become of the guest; nil: nothing has.
func (v *VM) condemn(found *GuestError) {
	if found == nil {
		return
	}
	v.mu.Lock()
	if v.fate == nil {
		v.fate = found
	}
	v.mu.Unlock()
	quit := stage{name: "quit", ask: v.command("quit"), until: askLimit}
	if v.attempt(context.Background(), quit, time.Now()).Result != worked {
		v.qemu.Kill()
	}
}

// panicTold is the panic of which QEMU's device has told.
func (v *VM) panicTold() *GuestError {
	if found := v.findPanic(false); found != nil {
		return found
	}
	return silentPanic()
}

const (
	// loopRestarts is how often a guest restarts in loopTime, and never becomes
	// ready, before it is taken for one that never will.
	loopRestarts = 5
	loopTime     = time.Minute
)

// restart takes note of a guest's restart, unless it is the end of one that has
// panicked, or has restarted too often.
func (v *VM) restart() *GuestError {
	if found := v.findPanic(false); found != nil {
		return found
	}
	again, since := v.rebooted()
	if again >= loopRestarts {
		return v.fateOf(Looping, fmt.Sprintf("%d times within %.0f s, and it was never ready (see why in what it printed before)",
			again, since.Seconds()))
	}
	return nil
}

// whyHalted asks why QEMU has stopped the guest's processors, and returns its
// fate where they will not run again. Somebody may just have paused it.
func (v *VM) whyHalted() *GuestError {
	limit, cancel := context.WithTimeoutCause(context.Background(), askLimit, errors.New("the monitor does not answer"))
	defer cancel()
	var is struct{ Status string }
	if err := v.monitor.Execute(limit, "query-status", nil, &is); err != nil {
		return nil //nolint:nilerr // QEMU's own end tells more
	}
	switch is.Status {
	case "internal-error":
		return v.fateOf(Lost, "QEMU has stopped its processors after an error of its own or of KVM"+v.lastWords())
	case "watchdog":
		return v.fateOf(Lost, "its watchdog has not heard from it in time")
	case "guest-panicked":
		return v.panicTold()
	case "io-error":
		v.note("the guest stands still until a disk of it works again (has the host's disk room left?)")
	case "paused":
		v.note("somebody has paused the guest by QEMU's monitor")
	}
	return nil
}
