package relayd

// Health tells whether a channel's VM side is drained. The zero value is ready.
type Health struct {
	taken  int64 // bytes of the stream, and of its gaps, at the last look
	unread int
}

// Look tells whether the relay has taken anything since the last look, where
// there was something to be taken. A watchdog calls it again and again.
func (h *Health) Look(c *Channel) bool {
	status := c.console.Relay().Status()
	taken := status.End
	for _, gap := range status.Gaps {
		taken += gap.Bytes
	}
	well := h.unread == 0 || taken != h.taken
	h.taken, h.unread = taken, c.console.Relay().Unread()
	return well
}
