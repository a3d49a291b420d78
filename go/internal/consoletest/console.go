// Package consoletest tests a guest through its consoles, as a person would
// use them.
//
// It believes no echo: what is typed into a terminal comes back with nobody
// behind it. Every answer that counts is computed by the guest.
package consoletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Console is a connection to one console of a guest. What comes is kept from
// the first byte; Expect reads through it in order.
type Console struct {
	Device string // of the guest: "ttyS0"
	conn   net.Conn

	mu    sync.Mutex
	text  []byte
	at    int           // where the next Expect begins
	more  chan struct{} // closed and replaced when text grows or ends
	ended error
	turns int // commands given to Shell

	prompted time.Time // when Login saw the prompt
}

// Dial connects to a console. The caller calls Run, and Close in the end.
func Dial(ctx context.Context, device, address string) (*Console, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", device, err)
	}
	return newConsole(device, conn), nil
}

func newConsole(device string, conn net.Conn) *Console {
	return &Console{Device: device, conn: conn, more: make(chan struct{})}
}

// Run reads until the connection ends, which Close does.
func (c *Console) Run() {
	chunk := make([]byte, 32<<10)
	for {
		n, err := c.conn.Read(chunk)
		c.mu.Lock()
		c.text = append(c.text, chunk[:n]...)
		c.ended = err
		close(c.more)
		c.more = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Close closes the connection.
func (c *Console) Close() error { return c.conn.Close() }

// Send types text.
func (c *Console) Send(text string) error {
	if _, err := c.conn.Write([]byte(text)); err != nil {
		return fmt.Errorf("%s: %w", c.Device, err)
	}
	return nil
}

// Expect waits until pattern matches what has come since the last match, and
// returns the match and its groups. The next Expect begins behind it. Lines of
// the kernel are left out: it prints them whenever it likes, also in the middle
// of somebody else's line.
func (c *Console) Expect(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	match, err := c.await(ctx, pattern)
	if err != nil {
		err = fmt.Errorf("%s: %w%s", c.Device, err, c.lastWords())
	}
	return match, err
}

// errClosed is why nothing more comes.
var errClosed = errors.New("the connection has ended")

// await is Expect whose error says no more than why it has ended.
func (c *Console) await(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	for {
		match, more, ended := c.match(pattern)
		if match != nil {
			return match, nil
		}
		var closed <-chan time.Time
		if ended {
			closed = time.After(endLimit)
		}
		select {
		case <-more:
		case <-closed:
			return nil, errClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// endLimit is how long Expect waits, once the connection has ended, for ctx to
// end as well: why the machine has ended says more than that it has.
const endLimit = 5 * time.Second

// Began waits until as many bytes have come as want has, and compares them.
func (c *Console) Began(ctx context.Context, want []byte) error {
	for {
		c.mu.Lock()
		text, more := c.text, c.more
		c.mu.Unlock()
		if len(text) >= len(want) {
			if !bytes.Equal(text[:len(want)], want) {
				return fmt.Errorf("%s: the client's first %d bytes are not the console's", c.Device, len(want))
			}
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of the first %d bytes came: %w", c.Device, len(text), len(want), context.Cause(ctx))
		}
	}
}

// Skip passes over all that has come.
func (c *Console) Skip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = len(c.text)
}

// match looks once. more is closed when it is worth while to look again; after
// the end of the connection nothing will ever come.
func (c *Console) match(pattern *regexp.Regexp) (match []string, more <-chan struct{}, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	spoken, original := withoutKernelLines(c.text[c.at:])
	if at := pattern.FindSubmatchIndex(spoken); at != nil {
		for i := 0; i < len(at); i += 2 {
			match = append(match, string(spoken[max(at[i], 0):max(at[i+1], 0)]))
		}
		c.at += original(at[1])
		return match, nil, false
	}
	if c.ended != nil {
		return nil, nil, true
	}
	return nil, c.more, false
}

// lastWords tells what came last, for an error.
func (c *Console) lastWords() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.text) == 0 {
		return ", not a byte came"
	}
	return fmt.Sprintf(", its last line is %q", lastLine(c.text))
}

// lastLine is the last line of text that is not blank.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
