package follow

// cursor is a place in a stream. It creates the events for what is read there.
type cursor struct {
	offset int64 // of the next byte
	live   int64 // bytes before this offset are history
	boots  *boots
	handle func(Event) error
}

// data processes bytes, and the starts of boots among and before them. Each Data event
// has bytes of one boot that are either all history or all live.
func (c *cursor) data(data []byte) error {
	for {
		boot, n := c.boots.next(c.offset, int64(len(data)))
		if boot != nil {
			if err := c.handle(Event{Kind: Boot, Offset: c.offset, Boot: *boot}); err != nil {
				return err
			}
			continue
		}
		if n == 0 {
			return nil
		}
		history := c.offset < c.live
		if history {
			n = min(n, c.live-c.offset)
		}
		// The offset includes these bytes even if the handler fails.
		offset := c.offset
		c.offset += n
		if err := c.handle(Event{Kind: Data, Offset: offset, Data: data[:n], History: history}); err != nil {
			return err
		}
		data = data[n:]
	}
}

// missing processes a gap that ends at offset to. bytes is 0 if there is none, -1 if the
// number is unknown.
func (c *cursor) missing(to, bytes int64) error {
	c.offset = to
	if bytes == 0 {
		return nil
	}
	return c.handle(Event{Kind: Gap, Offset: to, Missing: bytes})
}
