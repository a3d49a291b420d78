// Package qmp speaks QEMU's monitor protocol, as far as the owner of a machine
// needs it: commands with their answers, and events.
//
// Source: docs/interop/qmp-spec in QEMU's tree. A client has one reader, Run;
// Execute may be called from any goroutine, one command is under way at a
// time. Whatever QEMU sends, a message is limited to maxMessage bytes.
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

// maxMessage bounds one message of QEMU, in bytes.
const maxMessage = 1 << 20

// ErrClosed tells that QEMU closed the connection, which it does when it ends.
var ErrClosed = errors.New("qmp: connection closed by QEMU")

// Event is what QEMU tells unasked: its name, as "SHUTDOWN", and its data.
type Event struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// Error is QEMU's refusal of a command.
type Error struct {
	Class       string `json:"class"`
	Description string `json:"desc"`
}

func (e *Error) Error() string { return "qmp: " + e.Description }

// Client is a connection to one QEMU.
type Client struct {
	conn   io.ReadWriteCloser
	events func(Event)

	turn    chan struct{} // holds one token: the right to send a command
	answers chan message
	closed  chan struct{} // closed when Run returns

	mu      sync.Mutex
	lastID  int // of the last command sent
	waiting int // the command whose answer is wanted; 0: none
}

// message is whatever QEMU sends.
type message struct {
	Event
	ID     int             `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *Error          `json:"error"`
}

// New returns a client for conn. events is called for each event, in order,
// from Run; it must not block and must not call Execute. The caller calls Run.
func New(conn io.ReadWriteCloser, events func(Event)) *Client {
	return &Client{
		conn:    conn,
		events:  events,
		turn:    make(chan struct{}, 1),
		answers: make(chan message, 1),
		closed:  make(chan struct{}),
	}
}

// Run reads until QEMU closes the connection, or Close is called; that is no
// error. What is not QMP is. It is called once.
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
			return fmt.Errorf("qmp: QEMU sent no JSON: %w", err)
		}
		c.dispatch(m)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("qmp: QEMU sent a message of more than %d bytes", maxMessage)
	}
	return nil // a connection that breaks is one that has ended
}

// dispatch hands a message on. An answer that nobody waits for, or waits for
// no more, is dropped; so is the greeting.
func (c *Client) dispatch(m message) {
	if m.Name != "" {
		c.events(m.Event)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != 0 && m.ID == c.waiting {
		c.waiting = 0
		c.answers <- m // has room: one command is under way at a time
	}
}

// expect makes id the command whose answer is wanted.
func (c *Client) expect() (id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	c.waiting = c.lastID
	return c.lastID
}

// forget gives up the command under way, and its answer if that has come.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = 0
	select {
	case <-c.answers:
	default:
	}
}

// Handshake leaves the negotiation mode: the first thing to be called, once.
func (c *Client) Handshake(ctx context.Context) error {
	return c.Execute(ctx, "qmp_capabilities", nil, nil)
}

// Execute sends a command with its arguments (nil: none), waits for the answer
// and decodes it into out (nil: not wanted). A refusal is an *Error; a QEMU
// that has ended, ErrClosed.
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

// answer waits for the answer to the command just sent.
func (c *Client) answer(ctx context.Context, out any) error {
	select {
	case m := <-c.answers:
		return m.decode(out)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.closed:
	}
	select {
	case m := <-c.answers: // QEMU answered, and then ended
		return m.decode(out)
	default:
		return ErrClosed
	}
}

// decode decodes an answer into out (nil: not wanted).
func (m message) decode(out any) error {
	switch {
	case m.Error != nil:
		return m.Error
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(m.Return, out); err != nil {
		return fmt.Errorf("qmp: answer: %w", err)
	}
	return nil
}

// Close closes the connection, which ends Run.
func (c *Client) Close() error { return c.conn.Close() }
