package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Errors of a command that was not started in the guest.
var (
	// ErrNoAgent tells that nothing in the guest answers.
	ErrNoAgent = errors.New("the guest's agent does not answer")
	// ErrNoExec tells that the agent runs no commands.
	ErrNoExec = errors.New("the guest's agent runs no commands")
	// ErrNoProgram tells that there is no such program in the guest.
	ErrNoProgram = errors.New("no such program in the guest")
	// ErrCannotStart tells that the guest cannot start the program.
	ErrCannotStart = errors.New("cannot be started in the guest")
	// ErrTooLong tells that an input is longer than the agent takes.
	ErrTooLong = errors.New("too long an input")
)

// Errors of a command that was started, and how it ended cannot be known.
var (
	// ErrVMEnded tells that the VM has ended first.
	ErrVMEnded = errors.New("the VM has ended before the command")
	// ErrPanicked tells that the guest's kernel has panicked first.
	ErrPanicked = errors.New("the guest has panicked")
)

// execCodes are the answers to POST /exec where a command was not started.
var execCodes = map[int]error{
	http.StatusServiceUnavailable:    ErrNoAgent,
	http.StatusNotImplemented:        ErrNoExec,
	http.StatusNotFound:              ErrNoProgram,
	http.StatusForbidden:             ErrCannotStart,
	http.StatusRequestEntityTooLarge: ErrTooLong,
}

// ExecCode returns the status of an answer to POST /exec whose command was not started.
func ExecCode(err error) int {
	for code, cause := range execCodes {
		if errors.Is(err, cause) {
			return code
		}
	}
	return http.StatusBadGateway
}

// ExecRequest is a command for the guest: the body of POST /exec. Bytes are
// base64 in JSON.
type ExecRequest struct {
	// Command is the program, a path or a name to be looked up in the guest, and
	// its arguments.
	Command []string `json:"command"`
	// Env is its environment, "NAME=value" each. nil: that of the agent.
	Env []string `json:"env,omitempty"`
	// Input is its standard input.
	Input []byte `json:"input,omitempty"`
}

// ExecFrame is a line of the answer to POST /exec: a piece of output as it comes,
// and in the last one how the command has ended.
type ExecFrame struct {
	Stdout []byte   `json:"stdout,omitempty"`
	Stderr []byte   `json:"stderr,omitempty"`
	End    *ExecEnd `json:"end,omitempty"`
}

// ExecEnd is how a command has ended.
type ExecEnd struct {
	Status int `json:"status"`           // its exit status
	Signal int `json:"signal,omitempty"` // that ended it; 0: it exited
	// Truncated tells that the agent has not kept all of its output.
	Truncated bool `json:"truncated,omitempty"`
	// Error is why it cannot be known how it ended.
	Error string `json:"error,omitempty"`
	// Panicked tells that the error is a panic of the guest's kernel.
	Panicked bool `json:"panicked,omitempty"`
}

// Exec runs a command in the guest, hands on what it prints, as it comes, and
// returns how it ended. The end of ctx ends the command too, where the guest has
// a shell. One of the errors above tells that it was not started.
func (c Client) Exec(ctx context.Context, r ExecRequest, stdout, stderr io.Writer) (ExecEnd, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return ExecEnd{}, err
	}
	response, err := c.request(ctx, http.MethodPost, "/exec", strings.NewReader(string(body)))
	if err != nil {
		return ExecEnd{}, notStarted{err}
	}
	defer response.Body.Close()
	if cause, known := execCodes[response.StatusCode]; known {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // the status says enough
		return ExecEnd{}, told{strings.TrimSpace(string(text)), cause}
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		return ExecEnd{}, fmt.Errorf("not started: %s", strings.TrimSpace(string(text)))
	}
	return frames(ctx, json.NewDecoder(bufio.NewReader(response.Body)), stdout, stderr)
}

// told is an error in the words of the other side.
type told struct {
	text  string
	cause error
}

func (e told) Error() string { return e.text }
func (e told) Unwrap() error { return e.cause }

// frames hands on frames until the last one.
func frames(ctx context.Context, from *json.Decoder, stdout, stderr io.Writer) (ExecEnd, error) {
	for {
		var frame ExecFrame
		if err := from.Decode(&frame); err != nil {
			if ctx.Err() != nil {
				return ExecEnd{}, context.Cause(ctx)
			}
			return ExecEnd{}, ErrVMEnded
		}
		if _, err := stdout.Write(frame.Stdout); err != nil {
			return ExecEnd{}, err
		}
		if _, err := stderr.Write(frame.Stderr); err != nil {
			return ExecEnd{}, err
		}
		switch {
		case frame.End == nil:
		case frame.End.Panicked:
			return *frame.End, told{frame.End.Error, ErrPanicked}
		case frame.End.Error != "":
			return *frame.End, errors.New(frame.End.Error)
		default:
			return *frame.End, nil
		}
	}
}
