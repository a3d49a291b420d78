package relay

import "microvm-console/internal/state"

// Status is the relay's state now.
func (r *Relay) Status() *state.Relay {
	j := r.config.Journal
	oldest, end := j.Range()
	status := &state.Relay{
		Socket:  r.config.Socket,
		Journal: j.Dir(),
		Boot:    j.BootNumber(),
		Start:   bootStart(j),
		Oldest:  oldest,
		End:     end,
		Input:   int(r.input.waiting.Load()),
		Clients: []state.Client{},
		Gaps:    []state.Gap{},

		FIFOBytes: capacity(r.out),
	}
	for _, gap := range j.Gaps() {
		status.Gaps = append(status.Gaps, state.Gap{Offset: gap.Offset, Bytes: gap.Bytes, Cause: gap.Cause})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status.Attached, status.Exact = r.machine != nil, !r.weak.Load()
	status.Crowded = r.crowded
	if r.writer != nil {
		status.Writer = r.writer.name
	}
	for _, c := range r.joined {
		offset := c.offset.Load()
		status.Clients = append(status.Clients, state.Client{
			Client: c.name, Kind: c.kind, Since: c.since, Offset: offset, Lag: max(0, end-offset),
			Terminal: c.terminal, Writes: r.writer != nil && c.kind == "stream" && c.name == r.writer.name,
		})
	}
	return status
}
