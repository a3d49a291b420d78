package relay

import (
	"slices"

	"microvm-console/internal/ctl"
)

// Status is the relay's state now.
func (r *Relay) Status() *ctl.Relay {
	j := r.config.Journal
	oldest, end := j.Range()
	status := &ctl.Relay{
		Socket:  r.config.Socket,
		Journal: j.Dir(),
		Boot:    j.BootNumber(),
		Start:   bootStart(j),
		Oldest:  oldest,
		End:     end,
		Input:   int(r.input.waiting.Load()),
		Clients: []ctl.Attached{},
		Gaps:    []ctl.Gap{},
	}
	for _, gap := range j.Gaps() {
		status.Gaps = append(status.Gaps, ctl.Gap{Offset: gap.Offset, Bytes: gap.Bytes, Cause: gap.Cause})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status.Attached, status.Exact = r.machine != nil, !r.weak.Load()
	answering := r.answering()
	for _, c := range r.joined {
		offset := c.offset.Load()
		status.Clients = append(status.Clients, ctl.Attached{
			Client: c.name, Kind: c.kind, Since: c.since, Offset: offset, Lag: max(0, end-offset),
			Terminal: c.terminal, Answers: c == answering,
		})
	}
	return status
}

// answering is the client whose terminal's answers reach the guest: of those
// with a terminal the one that came first. The caller holds the lock.
func (r *Relay) answering() *client {
	first := slices.IndexFunc(r.joined, func(c *client) bool { return c.terminal })
	if first < 0 {
		return nil
	}
	return r.joined[first]
}
