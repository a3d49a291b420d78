package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guestagent"
	"microvm-console/internal/qmp"
)

const (
	// askAgain is how often the power button is pressed: a guest that is still booting
	// misses it.
	askAgain = 2 * time.Second
	// pingLimit is how long an agent that has not answered before may take to answer. Each
	// stop of a guest without an agent takes that much longer.
	pingLimit = 500 * time.Millisecond
	// busyPingLimit is the same for an agent that has answered: the host may be busy.
	busyPingLimit = 5 * time.Second
	// reserve is what the stages that do not ask the guest keep of a stop's time, at most;
	// half of a short one.
	reserve = 6 * time.Second
)

// stage is one way to stop a VM.
type stage struct {
	name   string
	ask    func(context.Context) error
	until  time.Duration // since the stop began: what a stage leaves is the next one's
	polite bool          // it asks the guest; a forced stop leaves it out
	once   bool          // it asks once only
}

// stages returns the ways to stop QEMU, in their order, with their shares of the time.
// agent asks the guest's agent.
func (q *qemuProcess) stages(request ctl.StopRequest, agent func(context.Context) error) []stage {
	total := request.Timeout
	if total == 0 {
		total = ctl.DefaultTimeout
	}
	if request.Force {
		return q.hardStages(0, total)
	}
	rest := min(reserve, total/2)
	polite := total - rest
	stages := []stage{
		{name: "agent", ask: agent, until: polite / 2, polite: true, once: true},
		{name: "acpi", ask: q.command("system_powerdown"), until: polite, polite: true},
	}
	if request.Button {
		stages = stages[1:]
	}
	return append(stages, q.hardStages(polite, rest)...)
}

// hardStages returns those that do not ask the guest. They follow others that take the time
// before.
func (q *qemuProcess) hardStages(before, total time.Duration) []stage {
	return []stage{
		{name: "quit", ask: q.command("quit"), until: before + total/3},
		{name: "sigterm", ask: q.signal(unix.SIGTERM), until: before + 2*total/3},
		{name: "sigkill", ask: q.signal(unix.SIGKILL), until: before + total},
	}
}

func (q *qemuProcess) command(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		err := q.execute(ctx, name, nil)
		if errors.Is(err, qmp.ErrClosed) {
			return nil // QEMU is ending: what was wanted
		}
		return err
	}
}

func (q *qemuProcess) signal(signal unix.Signal) func(context.Context) error {
	return func(context.Context) error { return q.process.Signal(signal) }
}

// shutDownByAgent has the guest's agent shut the guest down, if it answers soon.
func (v *VM) shutDownByAgent(ctx context.Context) error {
	pause := pingLimit
	if v.guest.State().Agent {
		pause = busyPingLimit
	}
	pause += time.Duration(v.executing.Load()) * execWait // each may have its turn before
	limit, cancel := context.WithTimeoutCause(ctx, pause, errNoPing)
	defer cancel()
	err := v.qemu.agent.Ping(limit)
	switch {
	case errors.Is(err, errNoPing):
		return fmt.Errorf("no answer within %v", pause)
	case err == nil:
		err = v.qemu.agent.Shutdown(ctx, guestagent.Powerdown)
	}
	if errors.Is(err, guestagent.ErrClosed) {
		return nil // QEMU is ending: what was wanted
	}
	return err
}

// errNoPing is the cause of the end of a ping that has no answer.
var errNoPing = errors.New("no answer")
