// Package attach connects a user to a console: it shows the output of the guest, and types
// the input of the user into it.
//
// The output has each byte once and in order, even across a connection that breaks and, on
// a terminal, across starts of a VM. Output cannot harm a terminal, or make it type by
// itself (Filter), unless Options.Raw is set. The terminal is restored whatever ends the
// session: the user, a time limit, a signal, the end of the machine or its owner, a panic.
// If stdin or stdout is not a terminal, stdout gets the bytes of the guest and nothing else.
//
// Input that is sent at the moment at which a connection breaks may be lost.
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
	// Program is the name of the program. With the process id it is the name of the client.
	Program string
	// Place is the console.
	Place follow.Place
	// Consoles are those of the VM; nil if they are unknown.
	Consoles []vmconfig.Console
	// From and Boot are those of ctl.StreamRequest. An earlier boot is read-only.
	From string
	Boot int
	// ReadOnly disables typing.
	ReadOnly bool
	// Force takes the writer's seat from another client.
	Force bool
	// Once ends the session with the VM. Otherwise a session on a terminal continues with
	// the next start of the VM, unless Timeout or Boot is set.
	Once bool
	// Timestamps begins each line with the time at which its first byte came, to a
	// hundredth of a second. If the guest overwrites a line after a return, the time of
	// the new text follows the return, so that it stays visible. All bytes of the guest
	// stay, in order.
	Timestamps bool
	// Raw disables the Filter on a terminal.
	Raw bool
	// Escape is the key that ends the session. It cannot be typed into the guest. 0 means
	// DefaultEscape.
	Escape Key
	// Timeout ends the session this long after it is attached. 0 means no limit.
	Timeout time.Duration
	// Color dims notices on a terminal.
	Color bool
}

// readOnly reports whether typing is disabled.
func (o Options) readOnly() bool { return o.ReadOnly || o.Boot < 0 }

var (
	// errLeft is the cause of the end if the user pressed the escape key.
	errLeft = errors.New("left")
	// errTimeLimit is the cause of the end if Timeout has passed.
	errTimeLimit = errors.New("the time limit has passed")
)

// Run attaches in and out to a console until the user leaves, Timeout passes, or the
// machine ends. It returns nil in each of these cases. Notices are printed on the terminal
// if in and out are one, otherwise to log. Its errors include those of follow.Find.
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
		view.notices = onScreen(view.out, o.Color)
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

// interactive runs the session on a terminal in raw mode.
func (s *session) interactive(ctx context.Context, first follow.Target) error {
	before, err := term.MakeRaw(s.keyboard.fd)
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = term.Restore(s.keyboard.fd, before) }() // fails only if the terminal is gone
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

// outcome returns the error of a session that err has ended: nil for a regular end. It
// panics if err is a panic.
func outcome(err error) error {
	raise(err)
	if errors.Is(err, errEnded) || errors.Is(err, errLeft) || errors.Is(err, errTimeLimit) {
		return nil
	}
	return err
}
