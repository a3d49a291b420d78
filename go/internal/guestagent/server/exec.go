package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// process is a command that the host has started.
type process struct {
	pid      int
	out, err *kept                 // output for the status; may be nil
	flows    []*flow               // stdout and stderr of a stream; nil for other commands
	done     chan struct{}         // closed when the command has ended and its output was read
	state    guestagent.ExecStatus // read after done is closed
}

// execArgs are guestagent.ExecArgs with Capture not decoded.
type execArgs struct {
	Path    string          `json:"path"`
	Args    []string        `json:"arg"`
	Env     []string        `json:"env"`
	Input   []byte          `json:"input-data"`
	Capture json.RawMessage `json:"capture-output"`
}

// exec starts a command, and waits for it in the background, so that it does not stay a zombie. The
// guest's init waits for all other processes.
func (s *Server) exec(_ context.Context, args execArgs) (any, error) {
	if args.Path == "" {
		return nil, errors.New("parameter 'path' is missing")
	}
	mode, err := captureMode(args.Capture)
	if err != nil {
		return nil, err
	}
	command := exec.Command(args.Path, args.Args...)
	command.Env, command.Dir = args.Env, s.dir
	// A session of its own, so that a signal to its process group reaches its children.
	command.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if len(args.Input) > 0 {
		command.Stdin = bytes.NewReader(args.Input)
	}
	p := &process{done: make(chan struct{})}
	s.connect(p, command, mode)
	err = s.running.add(p, command.Start, func() int { return command.Process.Pid })
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("start %q: no such file", args.Path) // the host recognizes this text
	case err != nil:
		return nil, fmt.Errorf("start %q: %w", args.Path, err)
	}
	go func() {
		_ = command.Wait() // ProcessState says how the command ended; errors of its output are ignored
		status := command.ProcessState.Sys().(syscall.WaitStatus)
		p.state.Exited = true
		if p.state.ExitCode = status.ExitStatus(); status.Signaled() {
			p.state.ExitCode, p.state.Signal = 0, int(status.Signal())
		}
		close(p.done)
	}()
	return guestagent.ExecStarted{PID: p.pid}, nil
}

// captureMode parses capture-output, which was a bool before QEMU 8.0.
func captureMode(text json.RawMessage) (string, error) {
	switch string(text) {
	case "", "null", "false":
		return "none", nil
	case "true":
		return "separated", nil
	}
	var mode string
	if err := json.Unmarshal(text, &mode); err != nil {
		return "", fmt.Errorf("capture-output: %w", err)
	}
	switch mode {
	case "none", "stdout", "stderr", "separated", "merged", guestagent.CaptureStream:
		return mode, nil
	}
	return "", fmt.Errorf("unknown capture-output %q", mode)
}

// connect connects the output of a command.
func (s *Server) connect(p *process, command *exec.Cmd, mode string) {
	if mode == guestagent.CaptureStream {
		p.flows = []*flow{newFlow(), newFlow()}
		command.Stdout, command.Stderr = p.flows[0], p.flows[1]
		return
	}
	if mode == "stdout" || mode == "separated" || mode == "merged" {
		p.out = &kept{budget: &s.running.budget}
		command.Stdout = p.out
	}
	if mode == "stderr" || mode == "separated" {
		p.err = &kept{budget: &s.running.budget}
		command.Stderr = p.err
	}
	if mode == "merged" {
		command.Stderr = io.Writer(p.out)
	}
}

// ended reports whether the command has ended and its output was read.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// execStatus returns the status of a command. If the command has ended, it forgets the command.
func (s *Server) execStatus(_ context.Context, args guestagent.PIDArgs) (any, error) {
	p, err := s.running.get(args.PID)
	if err != nil {
		return nil, err
	}
	if !p.ended() {
		return guestagent.ExecStatus{}, nil
	}
	status := p.state
	if p.out != nil {
		status.Out, status.OutTruncated = p.out.release()
	}
	if p.err != nil {
		status.Err, status.ErrTruncated = p.err.release()
	}
	s.running.forget(p)
	return status, nil
}
