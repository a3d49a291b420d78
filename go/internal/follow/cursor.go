package follow

// cursor is a place in a stream. It makes the events of what comes there.
type cursor struct {
	offset int64 // of the next byte
	live   int64 // bytes before this offset are history
	boots  *boots
	handle func(Event) error
}

// data passes over bytes, and the begins of boots among them and before them. An event has
// bytes of one boot, which are all history or not.
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
		// What the handler has got counts, also if it fails then.
		offset := c.offset
		c.offset += n
		if err := c.handle(Event{Kind: Data, Offset: offset, Data: data[:n], History: history}); err != nil {
			return err
		}
		data = data[n:]
	}
}

// missing passes over bytes that are missing before offset to; 0 is none, and -1 an unknown
// number.
func (c *cursor) missing(to, bytes int64) error {
	c.offset = to
	if bytes == 0 {
		return nil
	}
	return c.handle(Event{Kind: Gap, Offset: to, Missing: bytes})
}
