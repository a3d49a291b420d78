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

// process is a command of the host's, running or ended.
type process struct {
	pid      int
	out, err *kept // what is kept for the status; nil: nothing, or it flows
	flows    []*flow
	done     chan struct{} // closed when it has ended and all it printed is here
	state    guestagent.ExecStatus
}

// execArgs are guestagent.ExecArgs as they come.
type execArgs struct {
	Path    string          `json:"path"`
	Args    []string        `json:"arg"`
	Env     []string        `json:"env"`
	Input   []byte          `json:"input-data"`
	Capture json.RawMessage `json:"capture-output"`
}

// exec starts a command. Its end is waited for here, so that it is no zombie;
// the guest's other processes are init's to wait for.
func (s *Server) exec(_ context.Context, args execArgs) (any, error) {
	if args.Path == "" {
		return nil, errors.New("parameter 'path' is missing")
	}
	mode, err := captureMode(args.Capture)
	if err != nil {
		return nil, err
	}
	command := exec.Command(args.Path, args.Args...)
	command.Env, command.Dir = args.Env, "/"
	// A group of its own: a signal to it reaches what it has started.
	command.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if len(args.Input) > 0 {
		command.Stdin = bytes.NewReader(args.Input)
	}
	p := &process{done: make(chan struct{})}
	s.connect(p, command, mode)
	err = s.running.add(p, command.Start, func() int { return command.Process.Pid })
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("start %q: no such file", args.Path) // words by which the host knows the cause
	case err != nil:
		return nil, fmt.Errorf("start %q: %w", args.Path, err)
	}
	go func() {
		_ = command.Wait() // how it ended is asked of its state; an output that broke has no more
		status := command.ProcessState.Sys().(syscall.WaitStatus)
		p.state.Exited = true
		if p.state.ExitCode = status.ExitStatus(); status.Signaled() {
			p.state.ExitCode, p.state.Signal = 0, int(status.Signal())
		}
		close(p.done)
	}()
	return guestagent.ExecStarted{PID: p.pid}, nil
}

// captureMode reads capture-output, which was a bool before QEMU 8.0.
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
	return "", fmt.Errorf("capture-output: %q is unknown", mode)
}

// connect gives a command somewhere to print to.
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

// ended tells whether it has ended and all it printed is here.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// execStatus tells what became of a command, and once it has ended, forgets it.
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
