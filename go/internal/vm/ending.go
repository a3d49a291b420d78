package vm

import (
	"errors"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/plaintext"
)

// end describes how a VM has ended.
type end struct {
	start   error          // why QEMU did not start; nil if it did
	cause   *guest.Error   // why the guest has failed; may be nil
	stopped bool           // a stop was requested
	report  ctl.StopReport // the report of that stop
	last    guest.Shutdown // QEMU's last SHUTDOWN event
	exit    *exitError     // QEMU's exit
}

// err returns the error of Run: nil if the guest powered off or was stopped.
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
// "stopped by acpi", "panicked: Kernel panic - not syncing: …". The journals and state.json
// record it.
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
	}
	return e.last.How()
}

// line returns how the VM has ended, for the log. It is used if err returns nil.
func (e end) line() string {
	switch {
	case e.start != nil:
		return e.start.Error()
	case e.report.Stage != "":
		return e.report.String()
	}
	return e.how()
}

// howEnded returns how the VM has ended. It is called after QEMU and the goroutines that watch
// it have ended. start is the error of the start.
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
	case e.last.Reset():
		e.cause = v.guest.FindPanic()
	}
	return e
}

// exitError is the error of a QEMU that ended by itself.
type exitError struct {
	exit    int    // QEMU's exit status, or 128 plus the number of the signal that killed it
	atStart bool   // before the monitor answered
	advice  string // ": " and what to do about this exit; or ""
	words   string // ": " and the end of QEMU's standard error; or ""
}

// How returns how QEMU has ended: "QEMU ended with status 1", "QEMU was killed by SIGSEGV".
func (e *exitError) How() string {
	if e.atStart {
		return guest.ExitHow(e.exit) + " at its start"
	}
	return guest.ExitHow(e.exit)
}

func (e *exitError) Error() string { return e.How() + e.advice + e.words }

// exitError waits until QEMU has ended, and returns how it ended.
func (q *qemuProcess) exitError(atStart bool) *exitError {
	e := &exitError{exit: q.process.Exit(), atStart: atStart, words: q.lastLines()}
	if e.exit == 128+int(unix.SIGSYS) && q.sandbox {
		e.advice = ": the sandbox forbids a system call that its arguments need " +
			`(change qemuArgs, or set "sandbox": false in vm.json)`
	}
	return e
}

// lastLines returns ": " and the end of QEMU's standard error, to be appended to an error.
func (q *qemuProcess) lastLines() string {
	words := q.process.Stderr()
	if words != "" {
		words = ": " + words
	}
	if q.kvm {
		words += " (KVM may not work on this host: try --accel tcg)"
	}
	return words
}
