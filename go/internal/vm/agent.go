package vm

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/qemu"
)

// portChanged takes note of whether the guest has its agent's port open. It is
// called by the monitor's reader.
func (v *VM) portChanged(data json.RawMessage) {
	var port struct {
		ID   string
		Open bool
	}
	if json.Unmarshal(data, &port) != nil || port.ID != qemu.AgentPort {
		return // another port, of the user's
	}
	v.guest.SetPort(port.Open)
	notify(v.events.port)
}

// patience is how long one greeting of the agent waits before the next one.
const patience = 5 * time.Second

// tendAgent greets the guest's agent whenever the guest has opened its port, until
// it answers. It lives as long as QEMU.
func (v *VM) tendAgent() {
	for {
		select {
		case <-v.qemu.process.Done():
			return
		case <-v.events.port:
		}
		for v.greetAgent() {
		}
	}
}

// greetAgent greets the agent once, if its port is open, and tells whether to try
// again.
func (v *VM) greetAgent() (again bool) {
	is := v.guest.State()
	if !is.Port || is.Agent {
		return false
	}
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := v.qemu.agent.Ping(limit)
	var refusal *guestagent.Error
	switch {
	case errors.Is(err, guestagent.ErrClosed):
		return false // QEMU is ending
	case err != nil && !errors.As(err, &refusal): // a refusal is an answer
		return true
	}
	v.guest.Answered(is.Restarts)
	_ = v.record.publish() // status shows it all the same
	notify(v.events.spoke)
	notify(v.windows.changed) // there may be sizes that it has not got
	return true               // unless it is this boot's agent that has answered
}
