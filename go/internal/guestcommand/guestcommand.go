// Package guestcommand runs a command in a guest with this process's input and output, and
// returns its exit status.
//
// The process that owns the VM passes the command to the guest's agent, which runs it.
package guestcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
)

// Exit statuses for a command that was not started, as in shells.
const (
	StatusCannotStart = 126
	StatusNoProgram   = 127
)

// Streams are the input and output of a command.
type Streams struct {
	In       *os.File // read to its end before the command starts, unless it is a terminal
	Out, Err io.Writer
	// Raw writes the output to a terminal unchanged. Otherwise attach.Writer filters it.
	Raw bool
	// Program is the prefix of notices on Err.
	Program string
}

// Run runs a command in the guest of client's VM. The command's exit status is that of the error,
// which has no text; it is 128 plus the signal's number if a signal has killed the command. If
// the command was not started or its end is unknown, the error says why.
func Run(ctx context.Context, client ctl.Client, command []string, s Streams) error {
	input, err := s.input(ctx)
	if err != nil {
		return err
	}
	out, errs := attach.NewWriter(s.Out, s.Raw), attach.NewWriter(s.Err, s.Raw)
	end, err := client.Exec(ctx, ctl.ExecRequest{Command: command, Input: input}, out, errs)
	err = errors.Join(err, out.Close(), errs.Close())
	if err != nil {
		return cmdline.Status(statusOf(err), fmt.Errorf("%s: %w", command[0], err))
	}
	if end.Truncated {
		fmt.Fprintf(s.Err, "%s: output: the guest's agent has dropped a part (microvm-agent in the guest keeps all)\n", s.Program)
	}
	if end.Signal != 0 {
		return cmdline.Quiet(128 + end.Signal)
	}
	return cmdline.Quiet(end.Status)
}

// ErrTimeLimit is the cause of ctx's end if the timeout has passed.
var ErrTimeLimit = errors.New("ended by the time limit")

// Ended returns err, the error of a command, unless the end of ctx is its reason. Then it returns
// what has not happened within limit, or that the user has interrupted the command.
func Ended(ctx context.Context, command string, limit time.Duration, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), ErrTimeLimit):
		return cmdline.Status(cmdline.StatusTimeout, timeLimitError(command, limit, err))
	}
	return errors.New("interrupted")
}

// timeLimitError returns the error of a command that has failed with err after limit.
func timeLimitError(command string, limit time.Duration, err error) error {
	switch {
	case errors.As(err, new(notReady)):
		return fmt.Errorf("%s: the guest was not ready within %v", command, limit)
	case errors.Is(err, ctl.ErrNotStarted):
		return fmt.Errorf("%s: no agent answered within %v", command, limit)
	}
	return fmt.Errorf("%s: %w of %v", command, ErrTimeLimit, limit)
}

// notReady is the error of a wait for the guest before a command.
type notReady struct{ error }

func (e notReady) Unwrap() error { return e.error }

// NotReady returns err, the error of a wait for the guest, in a form that Ended recognizes. Its
// text is that of err.
func NotReady(err error) error { return notReady{err} }

// statusOf returns the exit status for a command that was not started, or whose end is unknown.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ctl.ErrNoProgram):
		return StatusNoProgram
	case errors.Is(err, ctl.ErrCannotStart):
		return StatusCannotStart
	case errors.Is(err, ctl.ErrNoAgent):
		return cmdline.StatusNoVM
	case errors.Is(err, ctl.ErrPanicked):
		return cmdline.StatusPanic
	case errors.Is(err, ctl.ErrTooLong):
		return cmdline.StatusUsage
	case errors.Is(err, context.DeadlineExceeded):
		return cmdline.StatusTimeout
	}
	return cmdline.StatusFailed
}

// inputNotice is the delay after which a notice says that the input has not ended.
const inputNotice = 2 * time.Second

// input reads the input to its end, or up to maxInput bytes. The VM rejects input that is too
// long for the agent.
func (s Streams) input(ctx context.Context) ([]byte, error) {
	if cmdline.IsTerminal(s.In) || isNull(s.In) {
		return nil, nil
	}
	notice := time.AfterFunc(inputNotice, func() {
		fmt.Fprintf(s.Err, "%s: waiting for the end of the input (use </dev/null for no input)\n", s.Program)
	})
	defer notice.Stop()
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // may stay until the process exits, since a read cannot be canceled
		data, err := io.ReadAll(io.LimitReader(s.In, maxInput))
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return nil, fmt.Errorf("input: %w", r.err)
		}
		return r.data, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// maxInput is how much input is read: more than any agent accepts.
const maxInput = 8 << 20

// isNull reports whether file is /dev/null or closed.
func isNull(file *os.File) bool {
	info, err := file.Stat()
	if err != nil {
		return true // file is closed
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
