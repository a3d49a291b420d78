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
	// agentLimit is how long a command waits for an agent that is not there: it
	// may be about to start.
	agentLimit = 5 * time.Second
	// execWait is how long the agent may wait for output before it answers. Others
	// have their turn between.
	execWait = 200 * time.Millisecond
	// answerLimit is how long the agent of a busy guest may take for an answer
	// before it is looked whether the guest is still there.
	answerLimit = 10 * time.Second
	// causeLimit is how long it may take until it is known what has become of a
	// guest: longer than a panic needs to be found.
	causeLimit = 2 * panicQuiet
	// pollFirst and pollMost are the pauses between two questions to an agent that
	// cannot wait.
	pollFirst, pollMost = 5 * time.Millisecond, 200 * time.Millisecond
)

// Exec runs a command in the guest and hands its output to send, and in the end
// how it ended. The end of ctx ends the command, where the guest has a shell.
// Any number of commands may run at once.
func (v *VM) Exec(ctx context.Context, request ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
	if len(request.Input) > guestagent.MaxInput {
		return fmt.Errorf("%w: %d bytes, the guest's agent takes at most %d (copy longer ones by a console or a disk)",
			ctl.ErrTooLong, len(request.Input), guestagent.MaxInput)
	}
	restarts, err := v.awaitAgent(ctx)
	if err != nil {
		return err
	}
	v.execs.Add(1)
	defer v.execs.Add(-1)
	r := running{v: v, restarts: restarts, send: send}
	err = r.start(ctx, request)
	ended := errors.Is(err, guestagent.ErrClosed) // the command itself may have done that
	if err != nil && !ended {
		return err
	}
	// Who asks learns that it runs, whatever comes.
	if told := send(ctl.ExecFrame{}); told != nil {
		r.kill(ctx)
		return told
	}
	if ended {
		return r.lost(err)
	}
	err = r.follow(ctx)
	if err != nil {
		r.kill(ctx)
	}
	return err
}

// awaitAgent waits a little until the agent answers. restarts is that of the
// guest's restarts then.
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
		case now.State == state.Starting || now.State == state.Booting:
			return 0, fmt.Errorf("%w: the guest is still %s (wait with --wait-ready)", ctl.ErrNoAgent, now.State)
		}
		return 0, fmt.Errorf("%w (run microvm-agent or qemu-ga in the guest)", ctl.ErrNoAgent)
	}
}

// running is a command in the guest.
type running struct {
	v        *VM
	restarts int // of the guest, when it started
	send     func(ctl.ExecFrame) error
	pid      int
	streams  bool // the agent gives the output as it comes
}

// start starts the command.
func (r *running) start(ctx context.Context, request ctl.ExecRequest) error {
	// The end of ctx is not the end of this wait: a command that starts meanwhile can
	// be ended only by its id, which is in the answer.
	limit, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), answerLimit, ctl.ErrNoAgent)
	defer cancel()
	info, err := r.v.qemu.agent.Info(limit)
	if err == nil && !info.Supports(guestagent.CommandExec) {
		return fmt.Errorf("%w (allow %s there)", ctl.ErrNoExec, guestagent.CommandExec)
	}
	if err == nil {
		r.streams = info.Supports(guestagent.CommandExecOutput)
		r.pid, err = r.v.qemu.agent.Exec(limit, guestagent.ExecRequest{
			Path: request.Command[0], Args: request.Command[1:], Env: request.Env, Input: request.Input,
			Capture: !r.streams, Stream: r.streams,
		})
	}
	var refusal *guestagent.Error
	switch {
	case !errors.As(err, &refusal):
		return err
	case strings.Contains(refusal.Description, "o such file") || strings.Contains(refusal.Description, "not found"):
		return fmt.Errorf("%w: %s", ctl.ErrNoProgram, plaintext.Line(refusal.Description))
	}
	return fmt.Errorf("%q %w: %s", request.Command[0], ctl.ErrCannotStart, plaintext.Line(refusal.Description))
}

// follow hands on the command's output until it has ended.
func (r *running) follow(ctx context.Context) error {
	out, errs := int64(0), int64(0)
	for pause := pollFirst; ; pause = min(2*pause, pollMost) {
		output, truncated, err := r.ask(ctx, out, errs)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ctl.ErrNoAgent) && r.sameBoot():
			continue // a guest that is very busy
		case err != nil:
			return r.lost(err)
		}
		frame := ctl.ExecFrame{Stdout: output.Out, Stderr: output.Err}
		out, errs = out+int64(len(output.Out)), errs+int64(len(output.Err))
		if output.Exited {
			frame.End = &ctl.ExecEnd{Status: output.ExitCode, Signal: output.Signal, Truncated: truncated}
		}
		if len(output.Out)+len(output.Err) > 0 || output.Exited {
			if err := r.send(frame); err != nil || output.Exited {
				return err
			}
		}
		if !r.streams {
			select {
			case <-time.After(pause): // the protocol has no way to wait
			case <-ctx.Done():
			}
		}
	}
}

// ask asks for the output beyond the offsets, or for all of it where the agent
// does not stream, once the command has ended.
func (r *running) ask(ctx context.Context, out, errs int64) (output guestagent.ExecOutput, truncated bool, err error) {
	limit, cancel := context.WithTimeoutCause(ctx, answerLimit, ctl.ErrNoAgent)
	defer cancel()
	if r.streams {
		output, err = r.v.qemu.agent.ExecOutput(limit, r.pid, out, errs, execWait)
		return output, false, err
	}
	status, err := r.v.qemu.agent.ExecStatus(limit, r.pid)
	return guestagent.ExecOutput{
		Out: status.Out, Err: status.Err, Exited: status.Exited, ExitCode: status.ExitCode, Signal: status.Signal,
	}, status.OutTruncated || status.ErrTruncated, err
}

// sameBoot reports whether the guest is the one in which the command runs.
func (r *running) sameBoot() bool {
	is := r.v.guest.State()
	return is.Restarts == r.restarts && is.Port
}

// lost says why nothing more is heard of the command: the end of the VM, or of its
// guest, is known a little later than that of its agent.
func (r *running) lost(err error) error {
	if r.sameBoot() && !errors.Is(err, guestagent.ErrClosed) {
		return fmt.Errorf("the command's output: %w", err)
	}
	select {
	case <-r.v.qemu.process.Done():
	case <-time.After(causeLimit):
		return fmt.Errorf("the guest has restarted, or its agent has ended, before the command: %w", err)
	}
	<-r.v.ended // a panic may be found in the last of the output
	r.v.mu.Lock()
	defer r.v.mu.Unlock()
	switch {
	case r.v.cause == nil:
		return ctl.ErrVMEnded
	case r.v.cause.Panic():
		return panicked{r.v.cause}
	}
	return r.v.cause
}

// panicked is a panic that has ended a command: it is ctl.ErrPanicked too.
type panicked struct{ cause *guest.Error }

func (p panicked) Error() string   { return p.cause.Error() }
func (p panicked) Unwrap() []error { return []error{p.cause, ctl.ErrPanicked} }

// kill ends the command and what it has started, as well as can be: the protocol
// has no word for it.
func (r *running) kill(ctx context.Context) {
	if !r.sameBoot() {
		return
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer cancel()
	// Our agent gives it a process group of its own, qemu-ga does not.
	script := fmt.Sprintf("kill -KILL -%d 2>/dev/null || kill -KILL %d", r.pid, r.pid)
	_, _ = r.v.qemu.agent.Exec(limit, guestagent.ExecRequest{Path: "sh", Args: []string{"-c", script}}) // without a shell it runs on
}
