package attach

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/follow"
	"microvm-console/internal/logs"
)

// writeLimit is how long a session that ends waits for a blocked write to its output.
const writeLimit = time.Second

var (
	// errEnded is returned for a session whose stream has ended.
	errEnded = errors.New("the stream has ended")
	// errStuck is returned if a write to the output stays blocked.
	errStuck = errors.New("output: write blocked")
)

// session is one attachment, over any number of connections and, with stay, of starts of a
// VM.
type session struct {
	options     Options
	view        *View
	keyboard    *keyboard
	stay        bool
	returnLimit time.Duration // see follow.Request
	group       *errgroup.Group
	sender      *sender
}

// run runs the session and returns the cause of its end: errEnded, errLeft, errTimeLimit or
// another error.
//
// All its goroutines have ended when it returns. With errStuck one is left, in a write that
// cannot be interrupted.
func (s *session) run(ctx context.Context, t follow.Target) error {
	limited := ctx
	if s.options.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, s.options.Timeout, errTimeLimit)
		defer cancel()
	}
	group, running := errgroup.WithContext(limited)
	s.group, s.sender = group, &sender{keyboard: s.keyboard, start: s.start}
	s.start(func() error { return s.keyboard.read(running) })
	s.start(func() error { return s.follow(running, t) })
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	err := waitToEnd(running, done)
	if ctx.Err() != nil && !errors.Is(err, errStuck) {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	return err
}

// start runs a part of the session. A panic in it becomes an error.
func (s *session) start(part func() error) {
	s.group.Go(func() error { return caught(part) })
}

// waitToEnd waits for done, but at most writeLimit after the end of ctx.
func waitToEnd(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(writeLimit):
		return errStuck
	}
}

// follow shows the stream, and sends input, until the stream ends. It returns errEnded then.
func (s *session) follow(ctx context.Context, t follow.Target) error {
	request := follow.Request{
		From:        s.options.From,
		Boot:        s.options.Boot,
		Client:      fmt.Sprintf("%s[%d]", s.options.Program, os.Getpid()),
		Terminal:    s.view.out.questions,
		Stay:        s.stay,
		ReturnLimit: s.returnLimit,
	}
	defer s.sender.disconnect()
	err := follow.Run(ctx, t, request, func(e follow.Event) error {
		if e.Kind == follow.Lost || e.Kind == follow.Ended {
			s.sender.disconnect()
		}
		if err := s.view.Handle(e); err != nil {
			return err
		}
		switch e.Kind {
		case follow.Connected:
			s.sender.connect(ctx, e.Target, request.Client)
		case follow.Ended:
			s.announceEnd(e)
		}
		return nil
	})
	if err == nil {
		return errEnded
	}
	return err
}

// announceEnd prints a notice on a terminal that the stream has ended, and how.
func (s *session) announceEnd(e follow.Event) {
	s.sender.afterEnd = true
	if !s.keyboard.terminal {
		return
	}
	switch {
	case s.options.Boot < 0:
		s.view.notices.say("end of boot %d", s.options.Boot)
	case s.stay:
		s.view.SayEnded(e, waiting(s.options.Escape))
	default:
		s.view.SayEnded(e, "")
	}
}

// endOf returns the text of a notice that a target has ended, with the cause if it is known.
func endOf(e follow.Event) string {
	if e.Target.Channel || e.Boot.Started.IsZero() {
		return e.Target.Name + " has ended"
	}
	return e.Target.Name + " ended: " + logs.Log{Machine: e.Target.Name}.How(e.Boot, false)
}

// panicked is a panic on its way to the goroutine that restores the terminal.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// caught calls run and returns its error. A panic in it becomes an error.
func caught(run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicked{value, debug.Stack()}
		}
	}()
	return run()
}

// raise panics if err is a panic that was caught.
func raise(err error) {
	var p *panicked
	if errors.As(err, &p) {
		panic(p.Error())
	}
}
