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

// Errors of a command that was not started.
var (
	// ErrNoAgent is returned if no agent answers in the guest.
	ErrNoAgent = errors.New("the guest's agent does not answer")
	// ErrNoExec is returned if the agent cannot run commands.
	ErrNoExec = errors.New("the guest's agent runs no commands")
	// ErrNoProgram is returned if the guest has no program of this name.
	ErrNoProgram = errors.New("no such program in the guest")
	// ErrCannotStart is returned if the guest cannot start the program.
	ErrCannotStart = errors.New("cannot be started in the guest")
	// ErrTooLong is returned if the input is longer than the agent accepts.
	ErrTooLong = errors.New("input too long")
)

// Errors of a command that was started, but whose exit status is unknown.
var (
	// ErrVMEnded is returned if the VM ends before the command does.
	ErrVMEnded = errors.New("the VM ended before the command")
	// ErrPanicked is returned if the guest's kernel panics before the command ends.
	ErrPanicked = errors.New("the guest panicked")
)

// execCodes are the HTTP statuses of POST /exec for commands that were not started.
var execCodes = map[int]error{
	http.StatusServiceUnavailable:    ErrNoAgent,
	http.StatusNotImplemented:        ErrNoExec,
	http.StatusNotFound:              ErrNoProgram,
	http.StatusForbidden:             ErrCannotStart,
	http.StatusRequestEntityTooLarge: ErrTooLong,
}

// ExecCode returns the HTTP status with which POST /exec answers err, the error of a
// command that was not started.
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
	// Command is the program and its arguments. A program without a slash is looked up
	// in the guest's PATH.
	Command []string `json:"command"`
	// Env is its environment, as "NAME=value". nil means that of the agent.
	Env []string `json:"env,omitempty"`
	// Input is its standard input.
	Input []byte `json:"input,omitempty"`
}

// ExecFrame is one line of the answer to POST /exec: a piece of the output and, in the last
// line, how the command ended.
type ExecFrame struct {
	Stdout []byte   `json:"stdout,omitempty"`
	Stderr []byte   `json:"stderr,omitempty"`
	End    *ExecEnd `json:"end,omitempty"`
}

// ExecEnd is how a command ended.
type ExecEnd struct {
	Status int `json:"status"`           // exit status
	Signal int `json:"signal,omitempty"` // the signal that ended the command; 0 if it exited
	// Truncated reports whether the agent has dropped some of the output.
	Truncated bool `json:"truncated,omitempty"`
	// Error says why the exit status is unknown; "" if it is known.
	Error string `json:"error,omitempty"`
	// Panicked reports whether Error is a panic of the guest's kernel.
	Panicked bool `json:"panicked,omitempty"`
}

// Exec runs a command in the guest, writes its output to stdout and stderr as it comes,
// and returns how it ended. If the guest has a shell, the end of ctx ends the command too.
// The error is one of those above, the cause of ctx, or that of a writer.
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
		return ExecEnd{}, serverError{strings.TrimSpace(string(text)), cause}
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		return ExecEnd{}, fmt.Errorf("not started: %s", strings.TrimSpace(string(text)))
	}
	return frames(ctx, json.NewDecoder(bufio.NewReader(response.Body)), stdout, stderr)
}

// serverError is an error with the text of the server and, as its cause, the sentinel that
// the status stands for.
type serverError struct {
	text  string
	cause error
}

func (e serverError) Error() string { return e.text }
func (e serverError) Unwrap() error { return e.cause }

// frames writes the output in frames until the last one, and returns how the command ended.
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
			return *frame.End, serverError{frame.End.Error, ErrPanicked}
		case frame.End.Error != "":
			return *frame.End, errors.New(frame.End.Error)
		default:
			return *frame.End, nil
		}
	}
}
