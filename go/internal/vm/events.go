package vm

import (
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/qmp"
)

// shutdown is the data of QEMU's event SHUTDOWN (and RESET).
type shutdown struct {
	Guest  bool   `json:"guest"`
	Reason string `json:"reason"` // "guest-shutdown", "host-qmp-quit", …
}

// event takes QEMU's events. It is called by the monitor's reader, and hands
// on without waiting.
func (v *VM) event(e qmp.Event) {
	var data shutdown
	_ = json.Unmarshal(e.Data, &data) // an event with other data is none of ours
	switch {
	case e.Name == "SHUTDOWN":
		v.mu.Lock()
		v.shutdown = data
		v.mu.Unlock()
	case e.Name == "RESET" && data.Guest:
		v.wasReset()
		notify(v.events.restarted)
	case e.Name == "VSERPORT_CHANGE":
		v.portChanged(e.Data)
	case e.Name == "STOP":
		notify(v.events.halted)
	case e.Name == "GUEST_PANICKED":
		notify(v.events.panicked)
		v.mu.Lock()
		v.panicked = true
		v.mu.Unlock()
	}
}

// events are what judge and the agent's greeter wait for: channels with room for one.
type events struct {
	spoke     chan struct{} // a console printed something
	restarted chan struct{} // the guest restarted
	panicked  chan struct{} // QEMU's panic device was written to
	port      chan struct{} // the guest has opened or closed its agent's port
	halted    chan struct{} // QEMU has stopped the guest's processors
}

func newEvents() *events {
	one := func() chan struct{} { return make(chan struct{}, 1) }
	return &events{one(), one(), one(), one(), one()}
}

// notify makes a channel with room for one ready.
func notify(event chan<- struct{}) {
	select {
	case event <- struct{}{}:
	default:
	}
}

// result tells how the machine ended, once QEMU and its watchers have.
func (v *VM) result() error {
	v.stop.turn.Lock() // a stop under way knows the stage
	v.stop.mu.Lock()
	stopped, report := v.stop.asked, v.stop.report
	v.stop.mu.Unlock()
	v.stop.turn.Unlock()
	v.mu.Lock()
	cause, event, last := v.cause, v.panicked, v.shutdown
	v.mu.Unlock()
	switch {
	case cause != nil:
	case event:
		cause = v.guest.ReportedPanic()
	case last.Guest && last.Reason == "guest-reset":
		cause = v.guest.FindPanic()
	}
	if cause != nil {
		v.mu.Lock()
		v.cause = cause // for the commands in the guest
		v.mu.Unlock()
		return cause
	}
	if !stopped && v.qemu.process.Exit() != 0 {
		return v.exitError("")
	}
	v.options.Log("ended: " + ending(stopped, last, report))
	return nil
}

// exitError returns how QEMU, which has ended, ended. when is empty, or " at its start".
func (v *VM) exitError(when string) error {
	switch exit := v.qemu.process.Exit(); {
	case exit == 128+int(unix.SIGSYS) && v.machine.Sandbox:
		return fmt.Errorf("qemu: ended by signal %d (SIGSYS)%s: its sandbox forbids what its arguments need, as a network with a script "+
			`(change qemuArgs, or set "sandbox": false in vm.json)%s`, exit-128, when, v.lastWords())
	case exit > 128:
		return fmt.Errorf("qemu: ended by signal %d%s%s", exit-128, when, v.lastWords())
	default:
		return fmt.Errorf("qemu: ended with status %d%s%s", exit, when, v.lastWords())
	}
}

// lastWords is what QEMU said on its standard error, for an error.
func (v *VM) lastWords() string {
	words := v.qemu.process.Stderr()
	if words != "" {
		words = ": " + words
	}
	if v.Status().Accel == "kvm" {
		words += " (KVM may not work here: try --accel tcg)"
	}
	return words
}

// ending is half a sentence on a regular end.
func ending(stopped bool, last shutdown, report ctl.StopReport) string {
	switch {
	case report.Stage != "":
		return report.String()
	case stopped:
		return "stopped"
	case last.Guest:
		return "the guest powered off"
	case last.Reason != "":
		return last.Reason
	}
	return "QEMU quit"
}
