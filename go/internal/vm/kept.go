package vm

import (
	"context"
	"errors"
	"time"

	"microvm-console/internal/qmp"
)

const (
	// resetLimit bounds the reset of a guest that restarts.
	resetLimit = 30 * time.Second
	resetPoll  = 5 * time.Millisecond
)

// continueRestart resets a guest that QEMU keeps at its restart, and continues it. The guest has
// failed if that is impossible.
func (w *watcher) continueRestart() {
	limit, cancel := context.WithTimeoutCause(context.Background(), resetLimit, errors.New("no reset"))
	defer cancel()
	err := w.qemu.restart(limit)
	if err != nil && !errors.Is(err, qmp.ErrClosed) {
		w.terminate(w.guest.Lost("not reset by QEMU at its restart: " + err.Error()))
	}
}

// restart resets the machine, which is stopped in the state "shutdown", and starts its processors.
func (q *qemuProcess) restart(ctx context.Context) error {
	// With reboot=shutdown, QEMU would take the reset for another restart to stop at.
	err := q.setReboot(ctx, "reset")
	if err == nil {
		err = q.execute(ctx, "system_reset", nil)
	}
	for err == nil { // the reset follows the answer
		status, failure := q.status(ctx)
		if failure == nil && status != statusShutdown {
			break
		}
		err = failure
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-time.After(resetPoll):
		}
	}
	if err == nil {
		err = q.setReboot(ctx, "shutdown")
	}
	if err == nil {
		err = q.execute(ctx, "cont", nil)
	}
	return err
}

// setReboot sets what QEMU does when the guest restarts.
func (q *qemuProcess) setReboot(ctx context.Context, action string) error {
	return q.monitor.Execute(ctx, "set-action", map[string]string{"reboot": action}, nil)
}
