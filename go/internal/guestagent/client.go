package guestagent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
)

// ErrClosed is returned once the connection is closed, which happens when QEMU ends.
var ErrClosed = errors.New("guest agent: connection closed")

// Client is the host's end of a connection to a guest's agent, which may be absent. Its methods
// may be called concurrently; the requests run one after the other.
type Client struct {
	conn   net.Conn
	turn   chan struct{} // holds one token: the right to send a request
	closed chan struct{} // closed when Run returns

	synced bool // no answer to an earlier request can arrive; owned by the holder of turn

	mu   sync.Mutex
	want *want // of the current request; if nil, input is dropped
}

// want is the answer that a request waits for.
type want struct {
	limit  int         // maximum length of the answer, in bytes
	sync   int64       // the id of a synchronization; 0 for other requests
	answer chan answer // has room for one
}

// answer is an agent's answer, or the error of the request.
type answer struct {
	line []byte
	err  error
}

// New returns a client on conn, which the client closes. The caller must call Run, and Close.
func New(conn net.Conn) *Client {
	return &Client{conn: conn, turn: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Run reads until the connection ends or Close is called, and returns nil. Invalid input from the
// guest does not end it. It must be called once.
func (c *Client) Run() error {
	defer close(c.closed)
	var lines Lines
	chunk := make([]byte, 32<<10)
	for {
		n, err := c.conn.Read(chunk)
		lines.Feed(chunk[:n], c.limit(), c.deliver, c.tooLong)
		if err != nil {
			return nil //nolint:nilerr // a read error also means that QEMU has ended
		}
	}
}

// Close closes the connection, which ends Run and every request.
func (c *Client) Close() error { return c.conn.Close() }

// limit returns the maximum length of the expected answer; 0 if none is expected.
func (c *Client) limit() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want == nil {
		return 0
	}
	return c.want.limit
}

// deliver passes a line to the request that waits for it. It drops lines that are not objects.
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

// tooLong fails the request that waits for an answer, except for a synchronization: its answer
// follows the long line.
func (c *Client) tooLong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want != nil && c.want.sync == 0 {
		c.want.answer <- answer{err: fmt.Errorf("guest: answer longer than %d bytes", c.want.limit)}
		c.want = nil
	}
}

// isSync reports whether line is the answer to the synchronization id.
func isSync(line []byte, id int64) bool {
	var reply struct {
		Return int64 `json:"return"`
	}
	return json.Unmarshal(line, &reply) == nil && reply.Return == id
}

// await sets the answer that is expected; nil if none.
func (c *Client) await(w *want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = w
}
