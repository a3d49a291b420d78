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
	// askAgain is the interval at which the power button is pressed. A guest that is still
	// booting ignores it.
	askAgain = 2 * time.Second
	// pingLimit bounds the wait for an agent that has not answered before. It delays each stop
	// of a guest without an agent.
	pingLimit = 500 * time.Millisecond
	// busyPingLimit bounds the wait for an agent that has answered before: the host may be busy.
	busyPingLimit = 5 * time.Second
	// reserve is the time that is kept for the stages that do not ask the guest, but at most
	// half of a stop's timeout.
	reserve = 6 * time.Second
)

// stage is one step of a stop.
type stage struct {
	name   string
	ask    func(context.Context) error
	until  time.Duration // since the stop began; a stage that ends early leaves its time to the next
	polite bool          // it asks the guest; a forced stop skips it
	once   bool          // it does not repeat ask
}

// stages returns the stages of a stop in order, with their shares of the timeout. agent asks the
// guest's agent to shut the guest down.
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
		{name: "agent", ask: q.unlessPaused(agent), until: polite / 2, polite: true, once: true},
		{name: "acpi", ask: q.unlessPaused(q.command("system_powerdown")), until: polite, polite: true},
	}
	if request.Button {
		stages = stages[1:]
	}
	return append(stages, q.hardStages(polite, rest)...)
}

// hardStages returns the stages that do not ask the guest. They begin at the time before, and
// share the time total.
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
			return nil // QEMU is ending, as intended
		}
		return err
	}
}

// unlessPaused returns ask for a guest that runs. A guest that is paused is not asked: it could
// not react.
func (q *qemuProcess) unlessPaused(ask func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if status, err := q.status(ctx); err == nil && isPaused(status) {
			return errPaused
		}
		return ask(ctx)
	}
}

// errPaused is returned by a stage that asks a guest that is paused.
var errPaused = errors.New("the guest is paused")

func (q *qemuProcess) signal(signal unix.Signal) func(context.Context) error {
	return func(context.Context) error { return q.process.Signal(signal) }
}

// shutDownByAgent makes the guest's agent shut the guest down, if the agent answers in time.
func (v *VM) shutDownByAgent(ctx context.Context) error {
	pause := pingLimit
	if v.guest.State().Agent {
		pause = busyPingLimit
	}
	pause += time.Duration(v.executing.Load()) * execWait // each may delay the answer
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
		return nil // QEMU is ending, as intended
	}
	return err
}

// errNoPing is the cause of a ping's timeout.
var errNoPing = errors.New("no answer")
