package cmdline

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// The exit statuses of all programs; docs/contract.md lists them for users.
const (
	StatusDone    = 0 // success
	StatusFailed  = 1 // a check failed, or an I/O error
	StatusUsage   = 2 // wrong usage or wrong configuration
	StatusNoVM    = 3 // no such VM, or it is not running
	StatusPanic   = 4 // the guest panicked
	StatusTimeout = 5 // a time limit passed
)

// statusError is an error with an exit status.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// ExitCode makes a statusError a cli.ExitCoder.
func (e *statusError) ExitCode() int { return e.status }

// Status returns err with the exit status that the program ends with, or nil if err is nil.
func Status(status int, err error) error {
	if err == nil {
		return nil
	}
	return &statusError{status, err}
}

// Usage returns an error of wrong usage, with the text of fmt.Errorf and status StatusUsage.
func Usage(format string, args ...any) error {
	return Status(StatusUsage, fmt.Errorf(format, args...))
}

// Quiet returns an error that prints nothing and has an exit status; nil for StatusDone.
func Quiet(status int) error {
	if status == StatusDone {
		return nil
	}
	return Status(status, errQuiet)
}

// errQuiet is an error that prints nothing.
var errQuiet = errors.New("")

// statusOf returns the exit status of an error. Without one of its own, it is StatusTimeout
// for a time limit and StatusFailed for everything else.
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
