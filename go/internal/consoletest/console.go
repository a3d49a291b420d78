// Package consoletest tests a guest through its consoles, as a person would use them.
//
// An echo is not an answer: a terminal echoes what is typed even if no program reads it.
// Every answer that a check accepts is computed by the guest.
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

// Console is a connection to one console of a guest. It keeps the newest keptBytes that it has read;
// Expect searches them in order.
type Console struct {
	Device string // of the guest: "ttyS0"
	conn   net.Conn

	// Live gets the output as it comes, and nil after its end. Run calls it, unless it is nil.
	Live func(data []byte)

	mu     sync.Mutex
	output output
	at     int           // where the next Expect begins
	more   chan struct{} // closed and replaced when output grows or ended is set
	ended  error         // of the last read; nil while the connection is open
	read   time.Time     // of the last bytes of output
	turns  int           // number of commands sent
	typed  []string      // the last command lines; see typeLine

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

// Expect waits until pattern matches what was read since the last match, and returns the
// match and its groups. The next Expect begins after the match. Kernel messages are ignored:
// the kernel prints them at any time, even in the middle of another line. The error is
// that of ctx or of the connection; what names the text that was expected.
func (c *Console) Expect(ctx context.Context, what string, pattern *regexp.Regexp) ([]string, error) {
	_, match, err := c.await(ctx, pattern)
	if err != nil {
		err = c.partly(c.at, failed("no "+what, err, c.lastOutput()))
	}
	return match, err
}

// errClosed is returned once the connection is closed.
var errClosed = errors.New("connection closed")

// await is Expect that returns what precedes the match too, and the bare cause as its error.
func (c *Console) await(ctx context.Context, pattern *regexp.Regexp) (before string, match []string, err error) {
	for {
		before, match, more, ended := c.match(pattern)
		switch {
		case match != nil:
			return before, match, nil
		case ended:
			return "", nil, whyClosed(ctx)
		}
		select {
		case <-more:
		case <-ctx.Done():
			return "", nil, context.Cause(ctx)
		}
	}
}

// endLimit is how long a check waits for ctx to end once a connection is closed: the cause of ctx
// says why the machine has ended.
const endLimit = 5 * time.Second

// whyClosed returns the cause of ctx, or errClosed if ctx does not end within endLimit.
func whyClosed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(endLimit):
		return errClosed
	}
}

// Began returns an error unless the first bytes that the console has read are want, at most
// beginning. It waits until it has read as many.
func (c *Console) Began(ctx context.Context, want []byte) error {
	for {
		c.mu.Lock()
		text, more := c.output.first, c.more
		c.mu.Unlock()
		if len(text) >= len(want) {
			if !bytes.Equal(text[:len(want)], want) {
				return fmt.Errorf("%s: the client's first %d bytes differ from the journal's", c.Device, len(want))
			}
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%s: read %d of the first %d bytes: %w", c.Device, len(text), len(want), context.Cause(ctx))
		}
	}
}

// Skip skips all that was read: the next Expect begins after it.
func (c *Console) Skip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.output.end()
}

// match searches what was read. Without a match, more is closed when there is more to
// search; ended is set if there will not be.
func (c *Console) match(pattern *regexp.Regexp) (before string, match []string, more <-chan struct{}, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, original := withoutKernelLines(c.output.from(c.at))
	if at := pattern.FindSubmatchIndex(text); at != nil {
		for i := 0; i < len(at); i += 2 {
			match = append(match, string(text[max(at[i], 0):max(at[i+1], 0)]))
		}
		c.at = max(c.at, c.output.start) + original(at[1])
		return string(text[:at[0]]), match, nil, false
	}
	return "", nil, c.more, c.ended != nil
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
