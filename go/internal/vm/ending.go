package vm

import (
	"cmp"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/plaintext"
)

// end is all that is known of how a VM has ended.
type end struct {
	start   error          // why QEMU did not start; nil: it did
	cause   *guest.Error   // why the guest has ended unasked
	stopped bool           // a stop was asked for
	report  ctl.StopReport // of that stop
	last    shutdown       // what QEMU said last about its end
	exit    *exitError     // QEMU's exit
}

// err returns the error of Run: nil if the guest, or a stop, has ended the VM.
func (e end) err() error {
	switch {
	case errors.Is(e.start, errAbandoned):
		return nil
	case e.start != nil:
		return e.start
	case e.cause != nil:
		return e.cause
	case !e.stopped && e.exit.exit != 0:
		return e.exit
	}
	return nil
}

// how returns how the VM has ended, in one line of printable characters: "powered off",
// "stopped by acpi", "panicked: Kernel panic - not syncing: …". It is what the journals and
// state.json have; Run's error and line begin with it, or have it in them.
func (e end) how() string {
	var known interface{ How() string }
	err := e.err()
	switch {
	case errors.As(err, &known):
		return plaintext.Line(known.How())
	case e.start != nil:
		return "not started"
	case e.report.Stage != "":
		return "stopped by " + e.report.Stage
	case e.stopped:
		return "stopped"
	case e.last.Guest && e.last.Reason == "guest-reset":
		return "restarted, and QEMU ended (-no-reboot)"
	case e.last.Guest:
		return "powered off"
	}
	return "QEMU was ended (" + cmp.Or(e.last.Reason, "status 0") + ")"
}

// line returns how the VM has ended for the user, if that is no error.
func (e end) line() string {
	switch {
	case e.start != nil:
		return e.start.Error()
	case e.report.Stage != "":
		return e.report.String()
	}
	return e.how()
}

// howEnded returns what is known of the end of QEMU, once that and the goroutines that watch
// it have ended. start is why it did not start.
func (v *VM) howEnded(start error) end {
	if start != nil {
		return end{start: start}
	}
	e := end{last: v.watcher.events.last, cause: v.watcher.cause, exit: v.qemu.exitError(false)}
	e.stopped, e.report = v.stop.result()
	switch {
	case e.cause != nil:
	case v.watcher.events.device:
		e.cause = v.guest.ReportedPanic()
	case e.last.Guest && e.last.Reason == "guest-reset":
		e.cause = v.guest.FindPanic()
	}
	return e
}

// exitError is returned if QEMU has ended by itself, with an error.
type exitError struct {
	exit    int    // QEMU's exit status, or 128 plus the number of the signal that ended it
	atStart bool   // its monitor had not answered yet
	advice  string // more about this exit; or ""
	words   string // what QEMU wrote last to its standard error, behind ": "; or ""
}

// How returns how QEMU has ended: "QEMU ended with status 1", "QEMU was killed by SIGSEGV".
func (e *exitError) How() string {
	how := fmt.Sprintf("QEMU ended with status %d", e.exit)
	if e.exit > 128 {
		signal := unix.Signal(e.exit - 128)
		how = "QEMU was killed by " + cmp.Or(unix.SignalName(signal), signal.String())
	}
	if e.atStart {
		how += " at its start"
	}
	return how
}

func (e *exitError) Error() string { return e.How() + e.advice + e.words }

// exitError waits until QEMU has ended, and returns how.
func (q *qemuProcess) exitError(atStart bool) *exitError {
	e := &exitError{exit: q.process.Exit(), atStart: atStart, words: q.lastWords()}
	if e.exit == 128+int(unix.SIGSYS) && q.sandbox {
		e.advice = ": its sandbox forbids what its arguments need, as a network with a script " +
			`(change qemuArgs, or set "sandbox": false in vm.json)`
	}
	return e
}

// lastWords returns what QEMU wrote last to its standard error, for the end of an error.
func (q *qemuProcess) lastWords() string {
	words := q.process.Stderr()
	if words != "" {
		words = ": " + words
	}
	if q.kvm {
		words += " (KVM may not work here: try --accel tcg)"
	}
	return words
}
