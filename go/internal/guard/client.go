package guard

import (
	"errors"
	"net"
	"os"
	"time"
)

// holdLimit is how long input is held while it may still become a request: a person
// who types a G waits as long.
const holdLimit = 500 * time.Millisecond

// errRequest is returned when a client has turned out to be a browser or the like.
var errRequest = errors.New("guard: what a web browser sends")

// client is an admitted connection. Its Read judges the first line.
type client struct {
	*net.TCPConn
	port *Port

	judged bool      // no request can follow
	first  []byte    // what the client has sent so far, while it is not judged
	held   int       // how many bytes of first Read has not returned
	until  time.Time // when they are returned, whatever they may become
}

// Read reads what the client sends. While that may become what a browser sends, it is
// held, for at most holdLimit. Read closes the connection, and returns none of the held
// bytes, once it is that.
func (c *client) Read(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	for !c.judged {
		if n, err := c.judge(data); n > 0 || err != nil {
			return n, err
		}
	}
	if c.held > 0 {
		return c.release(data), nil
	}
	return c.TCPConn.Read(data)
}

// judge reads more of the first line. It returns held bytes in data if they have
// been held for long enough, or if the client has finished sending.
func (c *client) judge(data []byte) (int, error) {
	if c.held == 0 {
		c.until = time.Time{}
	}
	if err := c.SetReadDeadline(c.until); err != nil {
		return 0, err
	}
	var more [burst]byte
	n, err := c.TCPConn.Read(more[:])
	begins := len(c.first) == 0
	if c.held == 0 && n > 0 {
		c.until = time.Now().Add(holdLimit)
	}
	c.first = append(c.first, more[:n]...)
	c.held += n
	verdict := judgeLine(c.first)
	if begins && judgeBurst(c.first) {
		verdict = request
	}
	switch {
	case verdict == request:
		c.port.refuse("what a web browser sends")
		c.Close()
		return 0, errRequest
	case verdict == other:
		c.judged = true
		return 0, c.SetReadDeadline(time.Time{})
	case err != nil && c.held > 0: // an end of file comes again
		return c.release(data), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, nil
	}
	return 0, err
}

// release moves held bytes to data and returns how many.
func (c *client) release(data []byte) int {
	n := copy(data, c.first[len(c.first)-c.held:])
	c.held -= n
	if c.judged && c.held == 0 {
		c.first = nil
	}
	return n
}
