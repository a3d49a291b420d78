package vm

import (
	"context"
	"errors"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/guestagent"
	"microvm-console/internal/state"
)

// panicQuiet is how long all consoles are silent before it is looked whether one of them
// ends with a panic's last line.
const panicQuiet = 2 * time.Second

// judge finds out what has become of the guest, and ends QEMU if that is its end; see
// package guest. It lives as long as QEMU.
func (v *VM) judge() {
	quiet := time.NewTimer(panicQuiet)
	defer quiet.Stop()
	silent := time.NewTimer(v.options.Silence)
	defer silent.Stop()
	more := time.NewTicker(notesWithin)
	defer more.Stop()
	for {
		select {
		case <-v.qemu.process.Done():
			return
		case <-v.events.spoke:
			quiet.Reset(panicQuiet)
			v.greet()
		case <-v.events.restarted:
			v.awaitRead()
			v.condemn(v.guest.CheckRestart())
			_ = v.record.become(state.Booting) // status shows it all the same
			v.greet()
		case <-v.events.panicked:
			v.awaitRead()
			v.condemn(v.guest.ReportedPanic())
		case <-v.events.halted:
			v.awaitRead()
			v.condemn(v.whyHalted())
		case <-quiet.C:
			v.condemn(v.panicByText())
		case <-silent.C:
			v.noteSilence()
		case <-more.C:
			v.record.noteMore()
		}
	}
}

// condemn ends QEMU for what has become of the guest; nil: nothing has.
func (v *VM) condemn(found *guest.Error) {
	if found == nil {
		return
	}
	v.mu.Lock()
	if v.cause == nil {
		v.cause = found
	}
	v.mu.Unlock()
	quit := stage{name: "quit", ask: v.command("quit"), until: askLimit}
	if v.attempt(context.Background(), quit, time.Now()).Result != worked {
		v.qemu.process.Kill()
	}
}

// panicByText returns a panic that only text shows, if the agent's silence proves it.
// Otherwise it is a note.
func (v *VM) panicByText() *guest.Error {
	suspicion := v.guest.Suspect()
	if suspicion == nil {
		return nil
	}
	proven, note := v.guest.Confirm(suspicion, suspicion.AskAgent && v.agentAnswers())
	if note != "" {
		v.record.noteLimited(note)
	}
	return proven
}

// agentSilence is how long an agent that has answered before has to be silent to prove a
// panic.
const agentSilence = 5 * time.Second

// agentAnswers reports whether the agent answers within agentSilence.
func (v *VM) agentAnswers() bool {
	limit, cancel := context.WithTimeout(context.Background(), agentSilence)
	defer cancel()
	err := v.qemu.agent.Ping(limit)
	var refusal *guestagent.Error
	return err == nil || errors.As(err, &refusal) || errors.Is(err, guestagent.ErrClosed) // QEMU is ending: its end says more
}

// whyHalted asks why QEMU has stopped the guest's processors, and returns the cause if they
// will not run again. They may just have been paused.
func (v *VM) whyHalted() *guest.Error {
	limit, cancel := context.WithTimeoutCause(context.Background(), askLimit, errors.New("the monitor does not answer"))
	defer cancel()
	var is struct{ Status string }
	if err := v.qemu.monitor.Execute(limit, "query-status", nil, &is); err != nil {
		return nil //nolint:nilerr // QEMU's own end says more
	}
	switch is.Status {
	case "internal-error":
		return v.guest.Lost("QEMU has stopped its processors after an error of its own or of KVM" + v.lastWords())
	case "watchdog":
		return v.guest.Lost("its watchdog has not heard from it in time")
	case "guest-panicked":
		return v.guest.ReportedPanic()
	case "io-error":
		v.record.note("the guest stands still until a disk of it works again (has the host's disk room left?)")
	case "paused":
		v.record.note("somebody has paused the guest by QEMU's monitor")
	}
	return nil
}
