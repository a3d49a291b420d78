package guard

import (
	"errors"
	"net"
	"os"
	"time"
)

// holdLimit is how long input is held if it may be the beginning of a request. A person
// who types a G waits that long.
const holdLimit = 500 * time.Millisecond

// errRequest is returned if the client is a web browser or a similar program.
var errRequest = errors.New("guard: a request of a web browser")

// client is an admitted connection. Its Read checks the first line.
type client struct {
	*net.TCPConn
	port *Port

	judged bool      // cannot be a request any more
	first  []byte    // what the client has sent, until judged
	held   int       // number of bytes at the end of first that Read has not returned
	until  time.Time // when the held bytes are returned even if they may become a request
}

// Read reads what the client sends. If that may be the beginning of a browser's request,
// Read holds it for up to holdLimit. If it is a request, Read closes the connection and
// returns none of the held bytes.
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

// judge reads more of the first line. It returns held bytes in data if they have been
// held long enough, or if the client has shut down its sending side.
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
		c.port.refuse("a request of a web browser")
		c.Close()
		return 0, errRequest
	case verdict == other:
		c.judged = true
		return 0, c.SetReadDeadline(time.Time{})
	case err != nil && c.held > 0: // io.EOF is returned again later
		return c.release(data), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, nil
	}
	return 0, err
}

// release moves held bytes to data and returns their number.
func (c *client) release(data []byte) int {
	n := copy(data, c.first[len(c.first)-c.held:])
	c.held -= n
	if c.judged && c.held == 0 {
		c.first = nil
	}
	return n
}
