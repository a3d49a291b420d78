package harness

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// kindTerminal is the kind of a client that also gets notices, not only the guest's bytes.
const kindTerminal = "terminal"

// Client reads a console and keeps everything that it receives.
type Client struct {
	Kind   string
	Seen   chan struct{} // closed when the client has received last
	Ended  chan error    // receives the error of its end, or nil
	offset int64         // of its first byte in the journal
	last   []byte        // the text that it waits for

	mu   sync.Mutex
	data []byte
}

// NewClient returns a client that waits for the text last. Its first byte is at offset in
// the journal.
func NewClient(kind string, offset int64, last string) *Client {
	return &Client{Kind: kind, offset: offset, last: []byte(last), Seen: make(chan struct{}), Ended: make(chan error, 1)}
}

// Write stores data as received by the client.
func (c *Client) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := max(0, len(c.data)-len(c.last))
	c.data = append(c.data, data...)
	select {
	case <-c.Seen:
	default:
		if bytes.Contains(c.data[before:], c.last) {
			close(c.Seen)
		}
	}
	return len(data), nil
}

// Got returns the bytes that the client has received so far.
func (c *Client) Got() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// Dial connects the client to a socket, which it reads until EOF.
func (c *Client) Dial(t *testing.T, network, address string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		_, err := io.Copy(c, conn)
		c.Ended <- err
	}()
}

// Run starts a program whose output the client reads. The stdin of the program stays open.
func (c *Client) Run(t *testing.T, name string, args ...string) {
	t.Helper()
	command := NewCommand(t, name, args...)
	command.Stdout = c
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan struct{})
	go func() {
		c.Ended <- command.Wait()
		close(waited)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // an error means that it has ended
		<-waited
	})
}

// ClientOfEachKind attaches a client of each kind to a console of the demo. Two of them are
// programs. Some begin with the first byte, some with that at offset. Each waits for the text
// last. dir is the run folder; see OwnFolders.
func ClientOfEachKind(t *testing.T, dir string, at Console, program string, offset int64, last string) []*Client {
	t.Helper()
	tcp := NewClient("TCP", 0, last)
	tcp.Dial(t, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port)))
	unix := NewClient("Unix socket", 0, last)
	unix.Dial(t, "unix", at.Relay.Socket)
	from := strconv.FormatInt(offset, 10)
	curl := NewClient("curl", offset, last)
	curl.Run(t, "curl", "-sSN", "--unix-socket", ControlSocket(dir), "http://vm/stream?console="+at.Name+"&from="+from)
	pipe := NewClient("pipe", offset, last)
	pipe.Run(t, program, "--from", from)
	terminal := NewClient(kindTerminal, 0, last)
	terminal.Run(t, "script", "-qec", program+" --once", "/dev/null")
	return []*Client{tcp, unix, curl, pipe, terminal}
}

// Await waits until the client has received the text that it waits for.
func (c *Client) Await(t *testing.T, at Console, limit time.Duration) {
	t.Helper()
	select {
	case <-c.Seen:
	case err := <-c.Ended:
		t.Fatalf("%s, %s: ended after %d bytes: %v", at.Device, c.Kind, len(c.Got()), err)
	case <-time.After(limit):
		t.Fatalf("%s, %s: no %q within %v in %d bytes", at.Device, c.Kind, c.last, limit, len(c.Got()))
	}
}

// Compare waits for the end of the client, whose VM has ended, and reports an error unless
// the client has received the journal from its offset to the end.
func (c *Client) Compare(t *testing.T, at Console, journal []byte) {
	t.Helper()
	select {
	case err := <-c.Ended:
		if err != nil {
			t.Errorf("%s, %s: %v", at.Device, c.Kind, err)
		}
	case <-time.After(WaitLimit):
		t.Fatalf("%s, %s: still connected after the end of the VM", at.Device, c.Kind)
	}
	got, want := c.Got(), journal[c.offset:]
	if c.Kind != kindTerminal && !bytes.Equal(got, want) {
		t.Errorf("%s, %s: got %d bytes, want the %d bytes from offset %d", at.Device, c.Kind, len(got), len(want), c.offset)
	}
}
