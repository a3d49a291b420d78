package vm

import (
	"context"
	"errors"
	"time"

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
func (w *watcher) agentAnswers() bool {
	err := w.pingAgent(agentSilence)
	return err == nil || errors.Is(err, guestagent.ErrClosed)
}

// pingAgent waits until the guest's agent answers a ping, for limit at most. It returns
// guestagent.ErrClosed if QEMU is ending.
func (w *watcher) pingAgent(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := w.qemu.agent.Ping(ctx)
	if errors.As(err, new(*guestagent.Error)) {
		return nil // an error reply is an answer
	}
	return err
}

// pingAgents pings the guest's agent each time the guest opens the agent's port, until the agent
// answers. It returns when QEMU has ended.
func (w *watcher) pingAgents() {
	for {
		select {
		case <-w.qemu.done():
			return
		case <-w.events.port:
		}
		for is := w.guest.State(); is.Port && !is.Agent; is = w.guest.State() {
			err := w.pingAgent(pingPause)
			switch {
			case errors.Is(err, guestagent.ErrClosed):
				return
			case err != nil:
				continue
			}
			w.guest.Answered(is.Restarts)
			_ = w.record.publish() // the status shows it even without the file
			notify(w.events.printed)
			notify(w.windows.changed) // it may have missed terminal sizes
		}
	}
}
