package relayd

// Health checks whether a channel's VM side is drained. The zero value is ready to use.
type Health struct {
	taken  int64 // bytes of the stream and of its gaps at the last Check
	unread int
}

// Check reports whether the relay has taken any output since the last Check, or there was
// none to take. A watchdog calls it at regular intervals.
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
