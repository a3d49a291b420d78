package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"microvm-console/internal/guestagent"
)

var (
	// panicLine is what a Linux kernel prints first when it panics.
	panicLine = regexp.MustCompile(`(?m)^(?:\[[ 0-9.T]+\] ?)*(Kernel panic - not syncing[^\r\n]*)`)
	// panicEnd is the last thing that it prints if it does not restart.
	panicEnd = []byte("---[ end Kernel panic")
	// restartLine follows where a kernel restarts because it was asked to.
	restartLine = []byte("reboot: ")
	// bootLine is the first thing of the next boot.
	bootLine = []byte("Linux version ")
)

const (
	// panicQuiet is how long all consoles are silent before it is looked whether one of
	// them ends with panicEnd.
	panicQuiet = 2 * time.Second
	// agentSilence is how long an agent that has answered before has to be silent then.
	agentSilence = 5 * time.Second
	// maxMessage is how much of a panic's first line is shown, in bytes.
	maxMessage = 200
)

// settle waits until what the consoles have printed by now has been read.
func (v *VM) settle() {
	for _, tap := range v.taps {
		tap.settle()
	}
}

// findPanic looks for a panic at the end of what the consoles printed. If
// still, the panic's last line must be the last thing there.
func (v *VM) findPanic(still bool) *GuestError {
	found, _ := v.locatePanic(still)
	return found
}

// locatePanic is findPanic; at is the console's tap.
func (v *VM) locatePanic(still bool) (found *GuestError, at *tap) {
	for _, tap := range v.taps {
		text, _ := tap.tail()
		if found := panicIn(text, still); found != nil {
			found.Device = tap.console.Device
			return found, tap
		}
	}
	return nil, nil
}

// panicByText returns a panic that only text shows, at the end of a console that is
// silent since. It is believed if no console has printed anything since, and the agent,
// which has answered in this boot and still has its port open, does not answer any more.
// Otherwise it is a note. The processors prove nothing: a panicked kernel may spin or halt.
func (v *VM) panicByText() *GuestError {
	found, at := v.locatePanic(true)
	if found == nil {
		return nil
	}
	printed, restarts := v.printed(), v.Status().Restarts
	var doubt string
	switch {
	case !v.silentSince(at):
		doubt = "another console has printed since"
	case !v.Status().Agent:
		doubt = "no agent has answered before that would be silent now"
	case v.agentAnswers():
		doubt = "the guest's agent still answers"
	case v.printed() != printed || v.Status().Restarts != restarts:
		return nil // what has happened meanwhile is judged next
	default:
		return found
	}
	v.noteOnce(fmt.Sprintf("%s ends with %q, which is no proof: %s (if the guest has panicked, end it with microvm-shutdown --force)",
		found.Device, found.Message, doubt))
	return nil
}

// printed returns how many bytes the consoles have printed in all.
func (v *VM) printed() (sum int64) {
	for _, tap := range v.taps {
		_, total := tap.tail()
		sum += total
	}
	return sum
}

// silentSince reports whether no console has printed anything since one printed its last
// byte, except for the same panic.
func (v *VM) silentSince(one *tap) bool {
	end := one.lastPrinted()
	for _, tap := range v.taps {
		text, _ := tap.tail()
		if tap.lastPrinted().After(end) && panicIn(text, true) == nil {
			return false
		}
	}
	return true
}

// agentAnswers reports whether the guest's agent answers within agentSilence.
func (v *VM) agentAnswers() bool {
	limit, cancel := context.WithTimeout(context.Background(), agentSilence)
	defer cancel()
	err := v.agent.Ping(limit)
	var refusal *guestagent.Error
	return err == nil || errors.As(err, &refusal) || errors.Is(err, guestagent.ErrClosed) // QEMU is ending: its end tells more
}

// panicIn finds the last panic in text, unless the kernel was asked to restart
// since.
func panicIn(text []byte, still bool) *GuestError {
	all := panicLine.FindAllSubmatchIndex(text, -1)
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	behind := text[last[2]:]
	if bytes.Contains(behind, restartLine) {
		return nil
	}
	if still && !endsWithPanic(behind) {
		return nil
	}
	end := len(text)
	if next := bytes.Index(behind, bootLine); next >= 0 {
		end = last[2] + bytes.LastIndexByte(behind[:next], '\n') + 1
	}
	message := string(text[last[2]:min(last[3], last[2]+maxMessage)])
	return &GuestError{Fate: panicSays(message), Message: message, Lines: lastLines(text[:end], fateLines)}
}

// endsWithPanic tells whether the last line of text is a panic's last one.
func endsWithPanic(text []byte) bool {
	text = bytes.TrimRight(text, "\r\n")
	return bytes.Contains(text[bytes.LastIndexByte(text, '\n')+1:], panicEnd)
}
