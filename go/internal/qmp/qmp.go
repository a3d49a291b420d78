// Package qmp is a client of QEMU's monitor protocol, QMP: commands with their answers, and
// events.
//
// Source: docs/interop/qmp-spec.rst in QEMU. One goroutine reads, in Run. Execute may be called
// concurrently; the commands run one after the other. A message of QEMU has at most maxMessage
// bytes.
package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxMessage is the maximum length of a message of QEMU, in bytes.
const maxMessage = 1 << 20

// ErrClosed is returned once QEMU has closed the connection, which it does when it ends.
var ErrClosed = errors.New("qmp: connection closed by QEMU")

// Event is an event that QEMU reports.
type Event struct {
	Name string          `json:"event"` // "SHUTDOWN"
	Data json.RawMessage `json:"data"`  // an object, or nil
}

// Error is an error that QEMU returns for a command.
type Error struct {
	Class       string `json:"class"` // "CommandNotFound", "GenericError"
	Description string `json:"desc"`  // for people
}

func (e *Error) Error() string { return "qmp: " + e.Description }

// Client is a client of one QEMU.
type Client struct {
	conn   io.ReadWriteCloser
	events func(Event)

	turn    chan struct{} // holds one token: the right to send a command
	answers chan message
	closed  chan struct{} // closed when Run returns

	mu      sync.Mutex
	lastID  int // id of the last command
	waiting int // the id of the command whose answer is expected; 0 if none
}

// message is any message of QEMU: an event, an answer, or the greeting.
type message struct {
	Event
	ID     int             `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *Error          `json:"error"`
}

// New returns a client on conn. The caller must call Run, and Close. Run calls events for each
// event, in order; events must neither block nor call Execute.
func New(conn io.ReadWriteCloser, events func(Event)) *Client {
	return &Client{
		conn:    conn,
		events:  events,
		turn:    make(chan struct{}, 1),
		answers: make(chan message, 1),
		closed:  make(chan struct{}),
	}
}

// Run reads from the connection. It returns nil when QEMU or Close closes the connection, and an
// error if QEMU sends something other than QMP. It must be called once.
func (c *Client) Run() error {
	defer close(c.closed)
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("qmp: invalid message from QEMU: %w", err)
		}
		c.dispatch(m)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("qmp: message from QEMU longer than %d bytes", maxMessage)
	}
	return nil // a read error also means that QEMU has ended
}

// dispatch passes on a message. It drops the greeting, and answers that are not expected.
func (c *Client) dispatch(m message) {
	if m.Name != "" {
		c.events(m.Event)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != 0 && m.ID == c.waiting {
		c.waiting = 0
		c.answers <- m // does not block: only one command runs at a time
	}
}

// expect returns a new command id, whose answer is expected from now on.
func (c *Client) expect() (id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	c.waiting = c.lastID
	return c.lastID
}

// forget drops the answer of the current command, even if it comes later.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = 0
	select {
	case <-c.answers:
	default:
	}
}

// Handshake ends the negotiation of capabilities. It must be called once, before Execute.
func (c *Client) Handshake(ctx context.Context) error {
	return c.Execute(ctx, "qmp_capabilities", nil, nil)
}

// Execute runs a command and decodes its result into out. args and out may be nil. It returns an
// *Error if QEMU reports one, ErrClosed if QEMU has ended, and the cause of ctx if that ends
// first; then the command may still take effect.
func (c *Client) Execute(ctx context.Context, command string, args, out any) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer c.forget()
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        int    `json:"id"`
	}{command, args, c.expect()})
	if err != nil {
		return fmt.Errorf("qmp: %w", err)
	}
	if _, err := c.conn.Write(append(request, '\n')); err != nil {
		return ErrClosed
	}
	return c.answer(ctx, out)
}

// answer waits for the answer to the command that was sent last.
func (c *Client) answer(ctx context.Context, out any) error {
	select {
	case m := <-c.answers:
		return m.decode(out)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.closed:
	}
	select {
	case m := <-c.answers: // QEMU answered before it ended
		return m.decode(out)
	default:
		return ErrClosed
	}
}

// decode decodes the result in an answer into out, which may be nil.
func (m message) decode(out any) error {
	switch {
	case m.Error != nil:
		return m.Error
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(m.Return, out); err != nil {
		return fmt.Errorf("qmp: decode answer: %w", err)
	}
	return nil
}

// Close closes the connection, which ends Run.
func (c *Client) Close() error { return c.conn.Close() }
