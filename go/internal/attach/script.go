package attach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/dialog"
	"microvm-console/internal/follow"
)

// scriptLimit is the default of Options.Timeout in RunScript.
const scriptLimit = 2 * time.Minute

// errDone is the cause of the end of reading if the dialog is done.
var errDone = errors.New("done")

// script is a session that does steps instead of reading the input of the user. If it types, it has
// the writer's seat from its start to its end.
type script struct {
	options Options
	types   bool // a step types
	view    *View
	dialog  *dialog.Dialog
	typed   chan []byte  // not yet sent; it has room for all steps. Closed when all are done
	ended   follow.Event // the end of the stream, with errEnded
}

// RunScript does steps on a console, and writes the output up to the last match to out. It uses the
// options of NewView, Place, From, Force and Timeout, which is 2 minutes by default. It returns nil
// once all steps are done. If Timeout passes first, the error has cmdline.StatusTimeout. Its errors
// include those of follow.Find.
func RunScript(ctx context.Context, o Options, steps []dialog.Step, out *os.File, log io.Writer) error {
	t, err := follow.Find(ctx, o.Place)
	if err != nil {
		return err
	}
	if device := strings.TrimPrefix(t.Console.Device, "-"); device == "debugcon" && dialog.Types(steps) {
		return cmdline.Usage("%s has no input (leave --send out)", device)
	}
	o.Timeout = cmp.Or(o.Timeout, scriptLimit)
	limited, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTimeLimit)
	defer cancel()
	s := &script{options: o, types: dialog.Types(steps), view: NewView(o, out, log), typed: make(chan []byte, len(steps))}
	s.dialog = dialog.New(steps, func(text string) { s.typed <- []byte(text) })
	err = s.run(limited, t)
	if errors.Is(err, errStuck) {
		return err
	}
	closed := s.view.Close()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	return cmp.Or(s.explain(err), closed)
}

// run reads the stream and types until all is done. All its goroutines have ended when it returns.
// With errStuck one is left, in a write that cannot be interrupted.
func (s *script) run(ctx context.Context, t follow.Target) error {
	group, running := errgroup.WithContext(ctx)
	client := fmt.Sprintf("%s[%d]", s.options.Program, os.Getpid())
	if s.types {
		request := ctl.StreamRequest{Console: t.Console.Name, Client: client}
		group.Go(func() error { return s.send(running, t.Client, request) })
	}
	group.Go(func() error {
		err := follow.Run(running, t, follow.Request{From: s.options.From, Client: client}, s.handle)
		if errors.Is(err, errDone) {
			close(s.typed) // send returns once all is typed
			return nil
		}
		return err
	})
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	return waitToEnd(running, done)
}

// send types the texts of the steps until typed is closed.
func (s *script) send(ctx context.Context, client ctl.Client, request ctl.StreamRequest) error {
	request.Seat = ctl.SeatTake
	if s.options.Force {
		request.Seat = ctl.SeatForce
	}
	request.OnOthers = func(through string) { s.view.notices.say("another process has typed through %s", through) }
	err := client.Input(ctx, request, &typedReader{ctx: ctx, typed: s.typed})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, new(*ctl.SeatTakenError)):
		return fmt.Errorf("input: %w (take it with --force)", err)
	}
	return inputFailed(ctx, err)
}

// handle shows an event and does the steps that it allows. It returns errDone once all are done,
// and errEnded if the stream ends before.
func (s *script) handle(e follow.Event) error {
	switch e.Kind {
	case follow.Connected:
		s.dialog.Connected(e.Offset, e.Live)
	case follow.Data:
		e.Data = e.Data[:s.dialog.Output(e.Offset, e.Data)]
	case follow.Ended:
		s.ended = e
		return errEnded
	}
	if err := s.view.Handle(e); err != nil {
		return err
	}
	if _, pending := s.dialog.Pending(); !pending {
		return errDone
	}
	return nil
}

// explain returns the error of a script that err has ended.
func (s *script) explain(err error) error {
	step, pending := s.dialog.Pending()
	switch {
	case errors.Is(err, errTimeLimit) && pending:
		last := "nothing was printed"
		if line := s.dialog.LastLine(); line != "" {
			last = fmt.Sprintf("last line: %q", line)
		}
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("%v: no match within %v (%s)", step, s.options.Timeout, last))
	case errors.Is(err, errTimeLimit):
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("input: not typed within %v (the guest does not read)", s.options.Timeout))
	case errors.Is(err, errEnded):
		return fmt.Errorf("%v: no match: %s", step, endOf(s.ended))
	}
	return err
}
