package tests

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// kindTerminal is the kind of client that is told more than the guest's bytes.
const kindTerminal = "terminal"

// client is somebody who reads a console and keeps all that comes.
type client struct {
	kind   string
	offset int64  // in the journal, of its first byte
	last   []byte // what it waits for
	seen   chan struct{}
	ended  chan error

	mu   sync.Mutex
	data []byte
}

func newClient(kind string, offset int64, last string) *client {
	return &client{kind: kind, offset: offset, last: []byte(last), seen: make(chan struct{}), ended: make(chan error, 1)}
}

// Write takes what comes, and tells when the last of it has come.
func (c *client) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := max(0, len(c.data)-len(c.last))
	c.data = append(c.data, data...)
	select {
	case <-c.seen:
	default:
		if bytes.Contains(c.data[before:], c.last) {
			close(c.seen)
		}
	}
	return len(data), nil
}

// got is what has come.
func (c *client) got() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// dial has the client read a socket, to its end.
func (c *client) dial(t *testing.T, network, address string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		_, err := io.Copy(c, conn)
		c.ended <- err
	}()
}

// run has the client read what a program prints. Its stdin stays open.
func (c *client) run(t *testing.T, name string, args ...string) {
	t.Helper()
	command := newCommand(t, name, args...)
	command.Stdout = c
	_, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan struct{})
	go func() {
		c.ended <- command.Wait()
		close(waited)
	}()
	t.Cleanup(func() {
		command.Process.Kill() // it may have ended
		<-waited
	})
}

// oneOfEach attaches a client of each kind to a console, program among them:
// some from its first byte, some from offset on. Each waits for last.
func oneOfEach(t *testing.T, dir string, at console, program string, offset int64, last string) []*client {
	t.Helper()
	tcp := newClient("TCP", 0, last)
	tcp.dial(t, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port)))
	unix := newClient("Unix socket", 0, last)
	unix.dial(t, "unix", at.Relay.Socket)
	from := strconv.FormatInt(offset, 10)
	curl := newClient("curl", offset, last)
	curl.run(t, "curl", "-sSN", "--unix-socket", ctlSocket(dir), "http://vm/stream?console="+at.Name+"&from="+from)
	pipe := newClient("pipe", offset, last)
	pipe.run(t, program, "--from", from)
	terminal := newClient(kindTerminal, 0, last)
	terminal.run(t, "script", "-qec", program, "/dev/null")
	return []*client{tcp, unix, curl, pipe, terminal}
}

// await waits until the client has seen the last of what it waits for.
func (c *client) await(t *testing.T, at console, limit time.Duration) {
	t.Helper()
	select {
	case <-c.seen:
	case err := <-c.ended:
		t.Fatalf("%s, %s: it has ended with %d bytes: %v", at.Device, c.kind, len(c.got()), err)
	case <-time.After(limit):
		t.Fatalf("%s, %s: %q not within %v, but %d bytes", at.Device, c.kind, c.last, limit, len(c.got()))
	}
}

// compare wants the client, whose VM has ended, to have got the journal from its
// offset to the end.
func (c *client) compare(t *testing.T, at console, journal []byte) {
	t.Helper()
	select {
	case err := <-c.ended:
		if err != nil {
			t.Errorf("%s, %s: %v", at.Device, c.kind, err)
		}
	case <-time.After(waitLimit):
		t.Fatalf("%s, %s: it does not end with the VM", at.Device, c.kind)
	}
	got, want := c.got(), journal[c.offset:]
	if c.kind != kindTerminal && !bytes.Equal(got, want) {
		t.Errorf("%s, %s: it has %d bytes, which are not the %d from %d on", at.Device, c.kind, len(got), len(want), c.offset)
	}
}
