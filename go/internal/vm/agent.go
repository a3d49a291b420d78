package vm

import (
	"context"
	"errors"
	"time"

	"microvm-console/internal/guestagent"
)

const (
	// agentSilence is how long an agent that has answered before has to be silent to prove
	// a panic.
	agentSilence = 5 * time.Second
	// pingPause is how long one ping of an agent that has not answered yet waits before the
	// next one.
	pingPause = 5 * time.Second
)

// agentAnswers reports whether the agent answers within agentSilence, or QEMU is ending:
// then its end says more.
func (w *watcher) agentAnswers() bool {
	err := w.pingAgent(agentSilence)
	return err == nil || errors.Is(err, guestagent.ErrClosed)
}

// pingAgent waits for an answer of the guest's agent, for limit at most. It returns
// guestagent.ErrClosed if QEMU is ending.
func (w *watcher) pingAgent(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := w.qemu.agent.Ping(ctx)
	if errors.As(err, new(*guestagent.Error)) {
		return nil // a refusal is an answer
	}
	return err
}

// pingAgents pings the guest's agent whenever the guest has opened its port, until it
// answers.
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
			_ = w.record.publish() // status shows it all the same
			notify(w.events.printed)
			notify(w.windows.changed) // there may be sizes that it has not got
		}
	}
}
