package relay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"microvm-console/tests/internal/harness"
)

// connection is the connection of a client.
type connection struct {
	io.Reader
	process *os.Process // of the client; nil if it is the test itself
	closed  func()
	once    sync.Once
}

// Close ends the connection. It may be called several times.
func (c *connection) Close() { c.once.Do(c.closed) }

// connect connects a client. It sets the offset of f if the offset is known.
func (c *clientSeries) connect(f *streamChecker) (*connection, error) {
	switch {
	case c.habit == stopped || c.habit == gone || c.kind == "fifo":
		return c.program()
	case c.kind == "stream":
		return c.stream(f)
	}
	network, address := "unix", publicPath(c.relay.t, c.name, "sock")
	if c.kind == "tcp" {
		network, address = "tcp", c.relay.address(c.name)
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &connection{Reader: conn, closed: func() { conn.Close() }}, nil
}

// stream requests the bytes from a random place of the boot through the control socket.
func (c *clientSeries) stream(f *streamChecker) (*connection, error) {
	conn, err := net.Dial("unix", privatePath(c.relay.t, c.name, "ctl"))
	if err != nil {
		return nil, err
	}
	from := []string{"start", "now", "-" + strconv.Itoa(c.random.IntN(1<<20))}[c.random.IntN(3)]
	fmt.Fprintf(conn, "GET /stream?from=%s HTTP/1.1\r\nHost: channel\r\n\r\n", from)
	body, err := streamBody(conn, f)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("stream from=%s: %w", from, err)
	}
	return &connection{Reader: body, closed: func() { conn.Close() }}, nil
}

// streamBody reads the head of a response, which has the offset of the first byte.
func streamBody(conn net.Conn, f *streamChecker) (io.Reader, error) {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	f.offset, err = strconv.ParseInt(response.Header.Get("Microvm-Offset"), 10, 64)
	return response.Body, err
}

// program starts a program that connects and prints what it receives.
func (c *clientSeries) program() (*connection, error) {
	words := []string{"socat", "-u", "UNIX-CONNECT:" + publicPath(c.relay.t, c.name, "sock"), "-"}
	switch c.kind {
	case "tcp":
		words[2] = "TCP4:" + c.relay.address(c.name)
	case "fifo":
		words = []string{"cat", publicPath(c.relay.t, c.name, "out")}
	case "stream":
		words = []string{"curl", "-sSN", "--unix-socket", privatePath(c.relay.t, c.name, "ctl"), "http://channel/stream"}
	}
	run := harness.NewCommand(c.relay.t, words[0], words[1:]...)
	stdout, err := run.StdoutPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		return nil, err
	}
	return &connection{Reader: stdout, process: run.Process, closed: func() {
		run.Process.Kill() // an error means that it has ended
		run.Wait()
	}}, nil
}
