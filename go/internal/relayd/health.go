package relayd

// Health is whether a channel's VM side is drained. The zero value is ready.
type Health struct {
	taken  int64 // bytes of the stream, and of its gaps, at the last Check
	unread int
}

// Check reports whether the relay has taken anything since the last Check, or nothing was
// there to take. A watchdog calls it again and again.
func (h *Health) Check(c *Channel) bool {
	status := c.console.Relay().Status()
	taken := status.End
	for _, gap := range status.Gaps {
		taken += gap.Bytes
	}
	drained := h.unread == 0 || taken != h.taken
	h.taken, h.unread = taken, c.console.Relay().Unread()
	return drained
}
