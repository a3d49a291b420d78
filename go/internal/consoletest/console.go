// Package consoletest tests a guest through its consoles, as a person would use them.
//
// An echo is not an answer: a terminal echoes what is typed even if no program reads it.
// Every answer that a check accepts is computed by the guest.
package consoletest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Console is a connection to one console of a guest. It keeps the newest keptBytes that it has read;
// Expect searches them in order.
type Console struct {
	Device string // of the guest: "ttyS0"
	conn   net.Conn

	// Live gets the output as it comes, and nil after its end. Run calls it, unless it is nil.
	Live func(data []byte)

	mu     sync.Mutex
	output output
	more   chan struct{} // closed and replaced when output grows or ended is set
	ended  error         // of the last read; nil while the connection is open
	read   time.Time     // of the last bytes of output
	typed  []string      // the last command lines; see typeLine

	// The goroutine of the checks has these.
	at       int       // where the next Expect begins
	turns    int       // number of commands sent
	prompted time.Time // when Login saw the prompt
}

// Dial connects to a console. The caller calls Run, and Close when done.
func Dial(ctx context.Context, device, address string) (*Console, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", device, err)
	}
	return newConsole(device, conn), nil
}

func newConsole(device string, conn net.Conn) *Console {
	return &Console{Device: device, conn: conn, output: output{keep: keptBytes}, more: make(chan struct{})}
}

// Run reads until the connection is closed, by Close or by the other end.
func (c *Console) Run() {
	chunk := make([]byte, 32<<10)
	for {
		n, err := c.conn.Read(chunk)
		if c.Live != nil && n > 0 {
			c.Live(chunk[:n])
		}
		c.mu.Lock()
		c.output.add(chunk[:n])
		if n > 0 {
			c.read = time.Now()
		}
		c.ended = err
		close(c.more)
		c.more = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			if c.Live != nil {
				c.Live(nil)
			}
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

// Began returns an error unless the first bytes that the console has read are want, at most
// beginning. It waits until it has read as many.
func (c *Console) Began(ctx context.Context, want []byte) error {
	err := c.watch(ctx, 0, func(_ []byte, end int) bool { return end >= len(want) })
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.output.first
	switch {
	case err != nil:
		return fmt.Errorf("%s: read %d of the first %d bytes: %w", c.Device, len(first), len(want), err)
	case !bytes.Equal(first[:len(want)], want):
		return fmt.Errorf("%s: the client's first %d bytes differ from the journal's", c.Device, len(want))
	}
	return nil
}

// Size returns how many bytes were read.
func (c *Console) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.end()
}

// from returns a copy of what is kept from the byte from on.
func (c *Console) from(from int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.output.from(from))
}

// Skip skips all that was read: the next Expect begins after it.
func (c *Console) Skip() {
	c.at = c.Size()
}

// prints reports whether the console has printed something within printsWithin.
func (c *Console) prints() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.read) < printsWithin
}

// printsWithin is how long a guest that starts slowly may print nothing.
const printsWithin = 5 * time.Second

// lastOutput returns the last line of the console, for an error.
func (c *Console) lastOutput() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.output.end() == 0 {
		return "it printed nothing"
	}
	return fmt.Sprintf("last line: %q", lastLine(c.output.text))
}

// lastLine returns the last line of text that is not blank; of a long one, its end.
func lastLine(text []byte) string {
	text = text[max(0, len(text)-longestShown):]
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
