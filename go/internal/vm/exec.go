package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/guestagent"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/state"
)

const (
	// agentLimit bounds the wait of a command for the agent. On a busy host, an emulated guest may
	// start it seconds after its logins.
	agentLimit = 15 * time.Second
	// execWait is how long the agent may wait for output before it answers. Other requests
	// are served between two such waits.
	execWait = 200 * time.Millisecond
	// answerLimit bounds the wait for an answer of the agent. After that, Exec checks whether
	// the guest has restarted.
	answerLimit = 10 * time.Second
	// causeLimit bounds the wait for the cause of a guest's end. It is longer than
	// detecting a panic takes.
	causeLimit = 2 * panicQuiet
	// pollFirst and pollMost are the shortest and the longest pause between two requests to
	// an agent that cannot wait for output.
	pollFirst, pollMost = 5 * time.Millisecond, 200 * time.Millisecond
)

// Exec runs a command in the guest. It calls send with the command's output and, in the last
// frame, with its exit status. When ctx ends, Exec kills the command, if the guest has a shell.
// Any number of commands may run at the same time.
func (v *VM) Exec(ctx context.Context, request ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
	if len(request.Input) > guestagent.MaxInput {
		return fmt.Errorf("%w: %d bytes, the guest's agent takes at most %d (copy longer input by a console or a disk)",
			ctl.ErrTooLong, len(request.Input), guestagent.MaxInput)
	}
	restarts, err := v.awaitAgent(ctx)
	if err != nil {
		return err
	}
	v.executing.Add(1)
	defer v.executing.Add(-1)
	c := execution{vm: v, restarts: restarts, send: send}
	err = c.start(ctx, request)
	ended := errors.Is(err, guestagent.ErrClosed) // perhaps by the command itself
	if err != nil && !ended {
		return err
	}
	// An empty frame says that the command runs.
	if err := send(ctl.ExecFrame{}); err != nil {
		c.kill(ctx)
		return err
	}
	if ended {
		return c.lost(err)
	}
	err = c.follow(ctx)
	if err != nil {
		c.kill(ctx)
	}
	return err
}

// awaitAgent waits until the agent has answered a ping, for agentLimit at most. It returns how
// often the guest has restarted up to then.
func (v *VM) awaitAgent(ctx context.Context) (restarts int, err error) {
	limit, cancel := context.WithTimeoutCause(ctx, agentLimit, ctl.ErrNoAgent)
	defer cancel()
	for {
		now, changed := v.record.now()
		if guest := v.guest.State(); guest.Agent {
			return guest.Restarts, nil
		}
		select {
		case <-changed:
			continue
		case <-v.ended:
			return 0, errors.New("the VM has ended")
		case <-limit.Done():
		}
		switch {
		case !errors.Is(context.Cause(limit), ctl.ErrNoAgent):
			return 0, context.Cause(limit)
		case now.Paused:
			return 0, fmt.Errorf("%w: the guest is paused (continue it in gdb or QEMU's monitor)", ctl.ErrNoAgent)
		case now.State == state.Starting || now.State == state.Booting:
			return 0, fmt.Errorf("%w: the guest is still %s (wait with --wait-ready)", ctl.ErrNoAgent, now.State)
		}
		return 0, fmt.Errorf("%w (run microvm-agent or qemu-ga in the guest)", ctl.ErrNoAgent)
	}
}

// execution is a command in the guest.
type execution struct {
	vm       *VM
	restarts int // of the guest before the command started
	send     func(ctl.ExecFrame) error
	pid      int
	streams  bool // the agent returns output while the command runs
}

// start starts the command.
func (c *execution) start(ctx context.Context, request ctl.ExecRequest) error {
	// The wait does not end with ctx: a command that has started can be killed only by its
	// process id, which is in the answer.
	limit, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), answerLimit, ctl.ErrNoAgent)
	defer cancel()
	info, err := c.vm.qemu.agent.Info(limit)
	if err != nil {
		return startError(request, err)
	}
	if !info.Supports(guestagent.CommandExec) {
		return fmt.Errorf("%w (allow %s there)", ctl.ErrNoExec, guestagent.CommandExec)
	}
	c.streams = info.Supports(guestagent.CommandExecOutput)
	c.pid, err = c.vm.qemu.agent.Exec(limit, guestagent.ExecRequest{
		Path: request.Command[0], Args: request.Command[1:], Env: request.Env, Input: request.Input,
		Capture: !c.streams, Stream: c.streams,
	})
	return startError(request, err)
}

// startError returns the error for a command that the agent could not start, with the agent's
// description. It returns other errors unchanged.
func startError(request ctl.ExecRequest, err error) error {
	var refusal *guestagent.Error
	if !errors.As(err, &refusal) {
		return err
	}
	description := plaintext.Line(refusal.Description)
	if strings.Contains(refusal.Description, "o such file") || strings.Contains(refusal.Description, "not found") {
		return fmt.Errorf("%w: %s", ctl.ErrNoProgram, description)
	}
	return fmt.Errorf("%q %w: %s", request.Command[0], ctl.ErrCannotStart, description)
}

// follow sends the command's output until the command has ended.
func (c *execution) follow(ctx context.Context) error {
	out, errs := int64(0), int64(0)
	for pause := pollFirst; ; pause = min(2*pause, pollMost) {
		output, truncated, err := c.ask(ctx, out, errs)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ctl.ErrNoAgent) && c.sameBoot():
			continue // the guest is busy
		case err != nil:
			return c.lost(err)
		}
		frame := ctl.ExecFrame{Stdout: output.Out, Stderr: output.Err}
		out, errs = out+int64(len(output.Out)), errs+int64(len(output.Err))
		if output.Exited {
			frame.End = &ctl.ExecEnd{Status: output.ExitCode, Signal: output.Signal, Truncated: truncated}
		}
		if len(output.Out)+len(output.Err) > 0 || output.Exited {
			if err := c.send(frame); err != nil || output.Exited {
				return err
			}
		}
		if !c.streams {
			select {
			case <-time.After(pause): // guest-exec-status does not wait
			case <-ctx.Done():
			}
		}
	}
}

// ask returns the output after the offsets out and errs. An agent that does not stream returns
// the whole output once the command has ended.
func (c *execution) ask(ctx context.Context, out, errs int64) (output guestagent.ExecOutput, truncated bool, err error) {
	limit, cancel := context.WithTimeoutCause(ctx, answerLimit, ctl.ErrNoAgent)
	defer cancel()
	if c.streams {
		output, err = c.vm.qemu.agent.ExecOutput(limit, c.pid, out, errs, execWait)
		return output, false, err
	}
	status, err := c.vm.qemu.agent.ExecStatus(limit, c.pid)
	return guestagent.ExecOutput{
		Out: status.Out, Err: status.Err, Exited: status.Exited, ExitCode: status.ExitCode, Signal: status.Signal,
	}, status.OutTruncated || status.ErrTruncated, err
}

// sameBoot reports whether the guest has not restarted since the command started.
func (c *execution) sameBoot() bool {
	is := c.vm.guest.State()
	return is.Restarts == c.restarts && is.Port
}

// lost returns the error for a command whose agent does not answer any more. It waits, since the
// end of the VM or the guest is detected a little later than that of the agent.
func (c *execution) lost(err error) error {
	if c.sameBoot() && !errors.Is(err, guestagent.ErrClosed) {
		return fmt.Errorf("the command's output: %w", err)
	}
	select {
	case <-c.vm.qemu.done():
	case <-time.After(causeLimit):
		return fmt.Errorf("the guest has restarted, or its agent has ended, before the command ended: %w", err)
	}
	<-c.vm.ended // a panic may be at the end of the output
	switch cause := c.vm.cause; {
	case cause == nil:
		return ctl.ErrVMEnded
	case cause.Panic():
		return panicked{cause}
	default:
		return cause
	}
}

// panicked is the error of a command that a panic has ended. It wraps cause and ctl.ErrPanicked.
type panicked struct{ cause *guest.Error }

func (p panicked) Error() string   { return p.cause.Error() }
func (p panicked) Unwrap() []error { return []error{p.cause, ctl.ErrPanicked} }

// kill tries to kill the command and the processes that it has started. The agent's protocol has
// no request for that, so it runs kill(1) in the guest.
func (c *execution) kill(ctx context.Context) {
	if !c.sameBoot() {
		return
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer cancel()
	// microvm-agent gives the command a process group of its own; qemu-ga does not.
	script := fmt.Sprintf("kill -KILL -%d 2>/dev/null || kill -KILL %d", c.pid, c.pid)
	_, _ = c.vm.qemu.agent.Exec(limit, guestagent.ExecRequest{Path: "sh", Args: []string{"-c", script}}) // a guest without a shell cannot do it
}
