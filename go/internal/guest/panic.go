package guest

import (
	"bytes"
	"fmt"
	"regexp"
)

var (
	// panicLine is what a Linux kernel prints first when it panics.
	panicLine = regexp.MustCompile(`(?m)^(?:\[[ 0-9.T]+\] ?)*(Kernel panic - not syncing[^\r\n]*)`)
	// panicEnd is the last thing that it prints if it does not restart.
	panicEnd = []byte("---[ end Kernel panic")
	// restartLine follows if the kernel was asked to restart.
	restartLine = []byte("reboot: ")
	// bootLine is the first thing of the next boot.
	bootLine = []byte("Linux version ")
)

// maxMessage is how much of a panic's first line is shown, in bytes.
const maxMessage = 200

// findPanic looks for a panic at the end of what the consoles printed. If still, the
// panic's last line must be the last thing there. The caller holds the lock.
func (g *Guest) findPanic(still bool) (found *Error, at *console) {
	for _, c := range g.consoles {
		if found := panicIn(c.kept, still); found != nil {
			found.Device = c.Device
			return found, c
		}
	}
	return nil, nil
}

// FindPanic returns the panic that the consoles show, whatever the guest does now; nil if
// there is none.
func (g *Guest) FindPanic() *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, _ := g.findPanic(false)
	return found
}

// ReportedPanic returns the panic that QEMU's panic device has reported.
func (g *Guest) ReportedPanic() *Error {
	if found := g.FindPanic(); found != nil {
		return found
	}
	return silentPanic()
}

// Suspicion is a panic that only text shows, at the end of a console that is silent since.
type Suspicion struct {
	// AskAgent is set if the agent's silence would prove it: the agent has answered in
	// this boot, still has its port open, and no console has printed anything since.
	// Otherwise it is no proof.
	AskAgent bool

	found    *Error
	doubt    string
	printed  int64
	restarts int
}

// Suspect returns the panic that text alone shows; nil if there is none. The processors
// prove nothing: a panicked kernel may spin or halt.
func (g *Guest) Suspect() *Suspicion {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, at := g.findPanic(true)
	if found == nil {
		return nil
	}
	s := &Suspicion{found: found, printed: g.total(), restarts: g.restarts}
	switch {
	case !g.silentSince(at):
		s.doubt = "another console has printed since"
	case !g.boot.agent:
		s.doubt = "no agent has answered before that would be silent now"
	default:
		s.AskAgent = true
	}
	return s
}

// Confirm returns the panic if it is proven, or why it is not, as a note. It returns
// neither if a console has printed, or the guest has restarted, since Suspect. agentAnswers
// is whether the agent has answered since.
func (g *Guest) Confirm(s *Suspicion, agentAnswers bool) (proven *Error, note string) {
	g.mu.Lock()
	changed := g.total() != s.printed || g.restarts != s.restarts
	g.mu.Unlock()
	doubt := s.doubt
	switch {
	case s.AskAgent && agentAnswers:
		doubt = "the guest's agent still answers"
	case s.AskAgent && changed:
		return nil, ""
	case s.AskAgent:
		return s.found, ""
	}
	return nil, fmt.Sprintf("%s ends with %q, which is no proof: %s (if the guest has panicked, end it with microvm-shutdown --force)",
		s.found.Device, s.found.Message, doubt)
}

// total returns how many bytes the consoles have printed in all. The caller holds the lock.
func (g *Guest) total() (sum int64) {
	for _, c := range g.consoles {
		sum += c.total
	}
	return sum
}

// silentSince reports whether no console has printed anything since one printed its last
// byte, except for the same panic. The caller holds the lock.
func (g *Guest) silentSince(one *console) bool {
	for _, c := range g.consoles {
		if c.last.After(one.last) && panicIn(c.kept, true) == nil {
			return false
		}
	}
	return true
}

// panicIn finds the last panic in text, unless the kernel was asked to restart
// since.
func panicIn(text []byte, still bool) *Error {
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
	return &Error{Cause: panicCause(message), Message: message, Lines: lastLines(text[:end], errorLines)}
}

// endsWithPanic reports whether the last line of text is a panic's last one.
func endsWithPanic(text []byte) bool {
	text = bytes.TrimRight(text, "\r\n")
	return bytes.Contains(text[bytes.LastIndexByte(text, '\n')+1:], panicEnd)
}
