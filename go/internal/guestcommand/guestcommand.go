// Package guestcommand runs a command in a guest as if it ran here: its output,
// its exit status, and what is typed into a pipe before it.
//
// The command runs in the guest as a child of the guest's agent, through the
// process that owns the VM.
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

// Exit statuses for a command that was not started, as shells give them.
const (
	StatusCannotStart = 126
	StatusNoProgram   = 127
)

// Streams are where a command's input comes from and where its output goes.
type Streams struct {
	In       *os.File // read to its end before the command starts, unless it is a terminal
	Out, Err io.Writer
	// Raw shows on a terminal what the guest prints as it is.
	Raw bool
	// Program is the name under which notices are written to Err.
	Program string
}

// Run runs a command in the guest of the VM behind client. What it prints goes to a
// terminal through attach.Writer. Run gives the
// command's exit status as that of an error that prints nothing: 128 and the
// signal's number where a signal has ended it.
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
		fmt.Fprintf(s.Err, "%s: output: the guest's agent has kept a part of it only (run microvm-agent there to have all)\n", s.Program)
	}
	if end.Signal != 0 {
		return cmdline.Quiet(128 + end.Signal)
	}
	return cmdline.Quiet(end.Status)
}

// ErrTimeLimit is why a command is ended whose time has passed.
var ErrTimeLimit = errors.New("ended by the time limit")

// Ended is err, that of a command, unless the end of ctx has ended it: by
// ErrTimeLimit, after limit, or by somebody who has interrupted it.
func Ended(ctx context.Context, command string, limit time.Duration, err error) error {
	switch {
	case err != nil && errors.Is(context.Cause(ctx), ErrTimeLimit):
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("%s: %w of %v", command, ErrTimeLimit, limit))
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted")
	}
	return err
}

// statusOf is the exit status for a command of which none is known.
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

// inputNotice is after how long it is said that an input has no end.
const inputNotice = 2 * time.Second

// input reads the input to its end. What is too long for a guest is for the VM to
// refuse: it is read only as far as shows that.
func (s Streams) input(ctx context.Context) ([]byte, error) {
	if cmdline.IsTerminal(s.In) || isNull(s.In) {
		return nil, nil
	}
	notice := time.AfterFunc(inputNotice, func() {
		fmt.Fprintf(s.Err, "%s: waiting for the end of the input (</dev/null is none)\n", s.Program)
	})
	defer notice.Stop()
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // it ends with the process at the latest: a read cannot be called back
		data, err := io.ReadAll(io.LimitReader(s.In, mostInput))
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

// mostInput is how much of an input is read: more than any agent takes.
const mostInput = 8 << 20

// isNull tells whether nothing can come from file.
func isNull(file *os.File) bool {
	info, err := file.Stat()
	if err != nil {
		return true // it is closed
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
