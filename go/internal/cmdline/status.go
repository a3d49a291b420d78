package cmdline

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// The exit statuses of every program; docs/contract.md lists them for users.
const (
	StatusDone    = 0 // all was done
	StatusFailed  = 1 // a check failed, or an I/O error
	StatusUsage   = 2 // wrong usage or wrong configuration
	StatusNoVM    = 3 // no such VM, or it is not running
	StatusPanic   = 4 // the guest panicked
	StatusTimeout = 5 // a time limit passed
)

// statusError carries the exit status that an error asks for.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// ExitCode makes a statusError a cli.ExitCoder.
func (e *statusError) ExitCode() int { return e.status }

// Status gives err the exit status with which the program will end. A nil err
// stays nil.
func Status(status int, err error) error {
	if err == nil {
		return nil
	}
	return &statusError{status, err}
}

// Usage is an error of wrong usage: status StatusUsage.
func Usage(format string, args ...any) error {
	return Status(StatusUsage, fmt.Errorf(format, args...))
}

// Quiet is an exit status of which all has been said.
func Quiet(status int) error {
	if status == StatusDone {
		return nil
	}
	return Status(status, errQuiet)
}

// errQuiet is an error that prints nothing.
var errQuiet = errors.New("")

// statusOf finds the exit status an error asks for. A time limit that nobody
// classified is StatusTimeout; everything else is StatusFailed.
func statusOf(err error) int {
	var coder cli.ExitCoder
	switch {
	case errors.As(err, &coder):
		return coder.ExitCode()
	case errors.Is(err, context.DeadlineExceeded):
		return StatusTimeout
	}
	return StatusFailed
}
