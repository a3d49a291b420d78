// Package attach is the terminal side of a console: what a guest prints comes
// to the user, what the user types goes to the guest.
//
// Its promises: the bytes come from the stream's offset on, once each and in
// order, also across a connection that breaks. Nothing a guest prints can do
// harm at a terminal or have it type (Filter), unless Options.Raw asks for it.
// The terminal is put back whatever ends the session: the user, a time limit, a
// signal, a machine or an owner that goes away, a panic. Where stdin or stdout
// is no terminal, stdout gets the plain bytes and nothing else.
//
// What is typed in the instant in which a connection breaks may be lost.
package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// Options say what to attach to, and how.
type Options struct {
	// Program is the name of the program, under which the owner lists it.
	Program string
	// Machine is the name of a running VM; "" is the only one that runs.
	Machine string
	// Channel is a channel of qemu-relay, to attach to instead; "" for a machine.
	Channel string
	// OwnChannel is the one to attach to where neither is named and no VM runs.
	OwnChannel string
	// Device is the guest's name of the console: "ttyS0".
	Device string
	// From and Boot are those of ctl.StreamRequest. An earlier boot is only
	// read.
	From string
	Boot int
	// ReadOnly has nothing typed.
	ReadOnly bool
	// Force takes the writer's seat from whoever has it.
	Force bool
	// Timestamps begins each line with the time at which its first byte came,
	// to a hundredth of a second. Where the guest overwrites a line behind a carriage
	// return, the time of the new text follows the return, so that it stays visible;
	// the guest's own bytes are all there, in their order.
	Timestamps bool
	// Raw shows on a terminal what the guest prints as it is.
	Raw bool
	// Escape is the key that leaves: pressed once, it cannot be typed into the
	// guest. 0: DefaultEscape.
	Escape Key
	// Timeout ends the session, from when it is attached. 0: none.
	Timeout time.Duration
	// Colour dims notices on a terminal.
	Colour bool
}

// readOnly tells whether nothing is typed.
func (o Options) readOnly() bool { return o.ReadOnly || o.Boot < 0 }

var (
	// errLeft is why a session ends whose user pressed the escape key.
	errLeft = errors.New("left")
	// errTimeLimit is why a session ends whose Timeout has passed.
	errTimeLimit = errors.New("the time limit has passed")
)

// Run attaches in and out to a console until the user leaves, Timeout passes,
// or the machine ends: nil in each of these cases. Notices that do not belong
// on a terminal's screen are lines on log.
func Run(ctx context.Context, o Options, in, out *os.File, log io.Writer) error {
	return newSession(o, in, out, log).attach(ctx)
}

func newSession(o Options, in, out *os.File, log io.Writer) *session {
	if o.Escape == 0 {
		o.Escape = DefaultEscape
	}
	fd := int(in.Fd())
	keys, screen := term.IsTerminal(fd), term.IsTerminal(int(out.Fd()))
	s := &session{
		options:  o,
		in:       in,
		fd:       fd,
		screen:   newOutput(out, o, screen, keys && screen),
		notices:  notices{w: log, prefix: o.Program + ": ", end: "\n"},
		typed:    make(chan []byte, typedAhead),
		comeBack: comeBack,
	}
	if keys && screen {
		s.notices = terminalNotices(out, o.Colour)
	}
	return s
}

// attach finds the machine and runs the session.
func (s *session) attach(ctx context.Context) error {
	first, err := s.find(ctx)
	switch {
	case err != nil:
		return err
	case s.screen.keys:
		return s.interactive(ctx, first)
	}
	return s.pipe(ctx, first)
}

// pipe runs the session between two pipes, or a pipe and a terminal.
func (s *session) pipe(ctx context.Context, first target) error {
	err := s.run(ctx, first, s.hand)
	if errors.Is(err, errStuck) {
		return err
	}
	return errors.Join(outcome(err), s.screen.close())
}

// interactive runs the session on a terminal.
func (s *session) interactive(ctx context.Context, first target) error {
	before, err := term.MakeRaw(s.fd)
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = term.Restore(s.fd, before) }() // where it has gone, there is nothing to put back
	s.notices.begin("%s of %s: %v leaves", first.console.Name, first.name, s.options.Escape)
	err = s.run(ctx, first, s.press)
	if errors.Is(err, errStuck) {
		return err
	}
	closed := s.screen.close()
	switch {
	case errors.Is(err, errEnded) && s.options.Boot < 0:
		s.notices.say("the end of boot %d", s.options.Boot)
	case errors.Is(err, errEnded):
		s.notices.say("%s has ended", first.name)
	case errors.Is(err, errLeft):
		s.notices.say("left %s", first.name)
	}
	s.discardAnswers()
	return errors.Join(outcome(err), closed)
}

// outcome is the error with which a session that err has ended ends: none
// where it ended as it should. A panic goes on.
func outcome(err error) error {
	raise(err)
	if errors.Is(err, errEnded) || errors.Is(err, errLeft) || errors.Is(err, errTimeLimit) {
		return nil
	}
	return err
}
