// Package attach is the terminal side of a console: what a guest prints comes to the user,
// what the user types goes to the guest.
//
// Its promises: the bytes come from the stream's offset on, once each and in order, also
// across a connection that breaks and, at a terminal, across starts of a VM. Nothing a
// guest prints can do harm at a terminal or have it type (Filter), unless Options.Raw asks
// for it. The terminal is put back whatever ends the session: the user, a time limit, a
// signal, a machine or an owner that goes away, a panic. If stdin or stdout is not a
// terminal, stdout gets the plain bytes and nothing else.
//
// What is typed in the instant in which a connection breaks may be lost.
package attach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"microvm-console/internal/follow"
	"microvm-console/internal/vmconfig"
)

// Options say what to attach to, and how.
type Options struct {
	// Program is the name of the program, under which the owner lists it.
	Program string
	// Place is the console.
	Place follow.Place
	// Consoles are those of the VM; nil if they are not known.
	Consoles []vmconfig.Console
	// From and Boot are those of ctl.StreamRequest. An earlier boot is only read.
	From string
	Boot int
	// ReadOnly has nothing typed.
	ReadOnly bool
	// Force takes the writer's seat from another client.
	Force bool
	// Once ends the session with the VM. Otherwise a session at a terminal goes on with
	// its next start, unless there is a Timeout, or a Boot was chosen.
	Once bool
	// Timestamps begins each line with the time at which its first byte came, to a
	// hundredth of a second. If the guest overwrites a line behind a carriage return, the
	// time of the new text follows the return, so that it stays visible; the guest's own
	// bytes are all there, in their order.
	Timestamps bool
	// Raw shows on a terminal what the guest prints as it is.
	Raw bool
	// Escape is the key that leaves: pressed once, it cannot be typed into the guest.
	// 0: DefaultEscape.
	Escape Key
	// Timeout ends the session, from when it is attached. 0: none.
	Timeout time.Duration
	// Colour dims notices on a terminal.
	Colour bool
}

// readOnly reports whether nothing is typed.
func (o Options) readOnly() bool { return o.ReadOnly || o.Boot < 0 }

var (
	// errLeft is why a session ends whose user pressed the escape key.
	errLeft = errors.New("left")
	// errTimeLimit is why a session ends whose Timeout has passed.
	errTimeLimit = errors.New("the time limit has passed")
)

// Run attaches in and out to a console until the user leaves, Timeout passes, or the
// machine ends: nil in each of these cases. Notices that do not belong on a terminal's
// screen are lines on log. Its errors are also those of follow.Find.
func Run(ctx context.Context, o Options, in, out *os.File, log io.Writer) error {
	return newSession(o, in, out, log).attach(ctx)
}

func newSession(o Options, in, out *os.File, log io.Writer) *session {
	if o.Escape == 0 {
		o.Escape = DefaultEscape
	}
	fd := int(in.Fd())
	screen := term.IsTerminal(int(out.Fd()))
	keys := term.IsTerminal(fd) && screen
	view := newView(o, newOutput(out, o, screen, keys), log)
	if keys {
		view.notices = onScreen(view.out, o.Colour)
	}
	return &session{
		options: o,
		view:    view,
		stay:    keys && !o.Once && o.Timeout == 0 && o.Boot == 0,
		keyboard: &keyboard{
			in: in, fd: fd, terminal: keys, readOnly: o.readOnly(), force: o.Force, escape: o.Escape,
			typed: make(chan []byte, typedAhead), notices: view.notices,
		},
	}
}

// attach finds the machine and runs the session.
func (s *session) attach(ctx context.Context) error {
	first, err := follow.Find(ctx, s.options.Place)
	if errors.As(err, new(*follow.FindError)) && s.options.Boot < 0 {
		return s.view.showEnded(s.options, err)
	}
	if err != nil {
		return err
	}
	if s.keyboard.terminal {
		return s.interactive(ctx, first)
	}
	err = s.run(ctx, first)
	if errors.Is(err, errStuck) {
		return err
	}
	return cmp.Or(outcome(err), s.view.Close())
}

// interactive runs the session on a terminal.
func (s *session) interactive(ctx context.Context, first follow.Target) error {
	before, err := term.MakeRaw(s.keyboard.fd)
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = term.Restore(s.keyboard.fd, before) }() // if it has gone, there is nothing to put back
	s.view.notices.say("%s of %s: %v leaves", first.Console.Name, first.Name, s.options.Escape)
	err = s.run(ctx, first)
	if errors.Is(err, errStuck) {
		return err
	}
	closed := s.view.Close()
	if errors.Is(err, errLeft) {
		s.view.notices.say("left %s", first.Name)
	}
	s.keyboard.discardAnswers(s.view.out.asked)
	return cmp.Or(outcome(err), closed)
}

// outcome returns the error with which a session that err has ended ends: nil if it ended
// as it should. A panic goes on.
func outcome(err error) error {
	raise(err)
	if errors.Is(err, errEnded) || errors.Is(err, errLeft) || errors.Is(err, errTimeLimit) {
		return nil
	}
	return err
}
