package guest

import (
	"bytes"
	"fmt"

	"microvm-console/internal/kevent"
)

var (
	// panicMark is in each line with which a panic begins: others need no further look.
	panicMark = []byte("Kernel panic")
	// panicEnd is in the last line of a panic, unless the kernel restarts.
	panicEnd = []byte("---[ end Kernel panic")
	// restartLine is in the line of a requested restart.
	restartLine = []byte("reboot: ")
	// bootLine is in the first line of the next boot.
	bootLine = []byte("Linux version ")
)

// maxMessage is the maximum length of Error.Message for a panic, in bytes.
const maxMessage = 200

// findPanic looks for a panic at the end of the consoles' output. If still is set, the panic's
// last line must be the last line of the output. The caller holds g.mu.
func (g *Guest) findPanic(still bool) (found *Error, at *console) {
	for _, c := range g.consoles {
		if found := panicIn(c.kept, still); found != nil {
			found.Device = c.Device
			return found, c
		}
	}
	return nil, nil
}

// FindPanic returns the panic at the end of a console's output, even if more output follows it;
// nil if there is none.
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

// Suspicion is a panic at the end of a console's output that nothing else confirms.
type Suspicion struct {
	// AskAgent is set if the agent's silence would confirm the panic: the agent has answered
	// in this boot, its port is still open, and no console has printed since the panic.
	AskAgent bool

	found    *Error
	doubt    string
	printed  int64
	restarts int
}

// Suspect returns the panic at the end of a console's output, or nil if there is none. It does
// not consider the processors: after a panic the kernel may spin or halt.
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
		s.doubt = "there was no agent whose silence would confirm it"
	default:
		s.AskAgent = true
	}
	return s
}

// Confirm returns the panic if it is confirmed, else a note that says why not. It returns neither
// if a console has printed or the guest has restarted since Suspect. agentAnswers is whether
// the agent has answered since Suspect.
func (g *Guest) Confirm(s *Suspicion, agentAnswers bool) (confirmed *Error, note string) {
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
	return nil, fmt.Sprintf("%s ends with %q, but %s (if the guest has panicked, end it with microvm-shutdown --force)",
		s.found.Device, s.found.Message, doubt)
}

// total returns the number of bytes that the consoles have printed. The caller holds g.mu.
func (g *Guest) total() (sum int64) {
	for _, c := range g.consoles {
		sum += c.total
	}
	return sum
}

// silentSince reports whether no other console has printed anything but a panic since one
// printed its last byte. The caller holds g.mu.
func (g *Guest) silentSince(one *console) bool {
	for _, c := range g.consoles {
		if c.last.After(one.last) && panicIn(c.kept, true) == nil {
			return false
		}
	}
	return true
}

// panicIn returns the last panic in text, or nil if there is none, or if a requested restart
// follows it. See findPanic for still.
func panicIn(text []byte, still bool) *Error {
	at, message := lastPanic(text)
	if at < 0 {
		return nil
	}
	after := text[at:]
	if bytes.Contains(after, restartLine) {
		return nil
	}
	if still && !endsWithPanic(after) {
		return nil
	}
	end := len(text)
	if next := bytes.Index(after, bootLine); next >= 0 {
		end = at + bytes.LastIndexByte(after[:next], '\n') + 1
	}
	message = message[:min(len(message), maxMessage)]
	return &Error{Cause: panicCause(message), Message: message, Lines: lastLines(text[:end], errorLines)}
}

// lastPanic returns the offset of the last line with which a panic begins, and the kernel's
// message; -1 if there is none.
func lastPanic(text []byte) (at int, message string) {
	end := len(text)
	for end > 0 {
		begin := bytes.LastIndexAny(text[:end], "\r\n") + 1
		if line := text[begin:end]; bytes.Contains(line, panicMark) {
			if kind, headline := kevent.Headline(line); kind == kevent.Panic {
				return begin, headline
			}
		}
		end = max(0, begin-1)
	}
	return -1, ""
}

// endsWithPanic reports whether the last line of text is the last line of a panic.
func endsWithPanic(text []byte) bool {
	text = bytes.TrimRight(text, "\r\n")
	return bytes.Contains(text[bytes.LastIndexByte(text, '\n')+1:], panicEnd)
}
