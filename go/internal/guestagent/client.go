package guestagent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
)

// ErrClosed tells that the connection has ended, as it does with QEMU.
var ErrClosed = errors.New("guest agent: connection closed")

// Client is the host's end of a connection to one guest's agent, which may
// not be there. Its methods may be called from any goroutine; one request is
// under way at a time.
type Client struct {
	conn   net.Conn
	turn   chan struct{} // holds one token: the right to send a request
	closed chan struct{} // closed when Run returns

	synced bool // nothing old can come; whoever has the turn owns it

	mu   sync.Mutex
	want *want // of the request under way; nil: whatever comes is dropped
}

// want is what a request waits for.
type want struct {
	limit  int         // of the answer, in bytes
	sync   int64       // the id of a synchronisation; 0: it is another request
	answer chan answer // has room for one
}

// answer is an agent's answer, or why it cannot be had.
type answer struct {
	line []byte
	err  error
}

// New returns a client for conn, which it owns. The caller calls Run.
func New(conn net.Conn) *Client {
	return &Client{conn: conn, turn: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Run reads until the connection ends, or Close is called; neither is an error.
// Nothing that a guest sends ends it. It is called once.
func (c *Client) Run() error {
	defer close(c.closed)
	var lines Lines
	chunk := make([]byte, 32<<10)
	for {
		n, err := c.conn.Read(chunk)
		lines.Feed(chunk[:n], c.limit(), c.deliver, c.tooLong)
		if err != nil {
			return nil //nolint:nilerr // a connection that breaks is one that has ended
		}
	}
}

// Close closes the connection, which ends Run and every request.
func (c *Client) Close() error { return c.conn.Close() }

// limit is how long a line may be that somebody waits for; 0: nobody does.
func (c *Client) limit() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want == nil {
		return 0
	}
	return c.want.limit
}

// deliver hands a line to the request that waits for it. What is no object is
// no answer.
func (c *Client) deliver(line []byte, delimited bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.want == nil || !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{")):
	case c.want.sync == 0 || delimited && isSync(line, c.want.sync):
		c.want.answer <- answer{line: bytes.Clone(line)}
		c.want = nil
	}
}

// tooLong ends the request that waits. A synchronisation waits on: what was too
// long is older than its answer.
func (c *Client) tooLong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want != nil && c.want.sync == 0 {
		c.want.answer <- answer{err: fmt.Errorf("guest: answered with more than %d bytes", c.want.limit)}
		c.want = nil
	}
}

// isSync tells whether line is the answer to the synchronisation id.
func isSync(line []byte, id int64) bool {
	var reply struct {
		Return int64 `json:"return"`
	}
	return json.Unmarshal(line, &reply) == nil && reply.Return == id
}

// await makes w what the next bytes are read for.
func (c *Client) await(w *want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = w
}
