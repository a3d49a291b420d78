package vm

import (
	"context"
	"errors"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/guestagent"
)

const (
	// agentSilence is how long an agent that has answered before must be silent to confirm a
	// panic.
	agentSilence = 5 * time.Second
	// pingPause bounds the wait for an answer of an agent that has not answered before. Then
	// it is pinged again.
	pingPause = 5 * time.Second
)

// agentAnswers reports whether the agent answers within agentSilence. It also returns true if
// QEMU is ending, since QEMU's exit says more.
func (q *qemuProcess) agentAnswers() bool {
	err := q.pingAgent(agentSilence)
	return err == nil || errors.Is(err, guestagent.ErrClosed)
}

// pingAgent waits until the guest's agent answers a ping, for limit at most. It returns
// guestagent.ErrClosed if QEMU is ending.
func (q *qemuProcess) pingAgent(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := q.agent.Ping(ctx)
	if errors.As(err, new(*guestagent.Error)) {
		return nil // an error reply is an answer
	}
	return err
}

// pinger finds out whether the guest has an agent that answers.
type pinger struct {
	qemu    *qemuProcess
	guest   *guest.Guest
	record  *record
	windows *windows
	events  *events
}

// run pings the guest's agent each time the guest opens the agent's port, until the agent answers.
// It returns when QEMU has ended.
func (p pinger) run() {
	for {
		select {
		case <-p.qemu.done():
			return
		case <-p.events.port:
		}
		for is := p.guest.State(); is.Port && !is.Agent; is = p.guest.State() {
			err := p.qemu.pingAgent(pingPause)
			switch {
			case errors.Is(err, guestagent.ErrClosed):
				return
			case err != nil:
				continue
			}
			p.guest.Answered(is.Restarts)
			_ = p.record.publish() // the status shows it even without the file
			notify(p.events.activity)
			notify(p.windows.changed) // it may have missed terminal sizes
		}
	}
}
