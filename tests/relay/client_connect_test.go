package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"microvm-console/tests/internal/harness"
)

// connection is a client's.
type connection struct {
	io.Reader
	process *os.Process // that is the client; nil: this one is
	closed  func()
	once    sync.Once
}

// Close ends it. It may be called again.
func (c *connection) Close() { c.once.Do(c.closed) }

// connect connects a client, and tells f where the bytes begin if that is known.
func (l *clientSeries) connect(f *streamChecker) (*connection, error) {
	switch {
	case l.habit == stopped || l.habit == gone || l.kind == "fifo":
		return l.program()
	case l.kind == "stream":
		return l.stream(f)
	}
	network, address := "unix", publicPath(l.relay.t, l.name, "sock")
	if l.kind == "tcp" {
		network, address = "tcp", l.relay.address(l.name)
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &connection{Reader: conn, closed: func() { conn.Close() }}, nil
}

// stream asks for the bytes from a random place of the boot.
func (l *clientSeries) stream(f *streamChecker) (*connection, error) {
	conn, err := net.Dial("unix", privatePath(l.relay.t, l.name, "ctl"))
	if err != nil {
		return nil, err
	}
	from := []string{"start", "now", "-" + strconv.Itoa(l.random.IntN(1<<20))}[l.random.IntN(3)]
	fmt.Fprintf(conn, "GET /stream?from=%s HTTP/1.1\r\nHost: channel\r\n\r\n", from)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("stream from=%s: %s", from, response.Status)
	}
	if err == nil {
		f.offset, err = strconv.ParseInt(response.Header.Get("Microvm-Offset"), 10, 64)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &connection{Reader: response.Body, closed: func() { conn.Close() }}, nil
}

// program has another process connect, which prints what it gets.
func (l *clientSeries) program() (*connection, error) {
	words := []string{"socat", "-u", "UNIX-CONNECT:" + publicPath(l.relay.t, l.name, "sock"), "-"}
	switch l.kind {
	case "tcp":
		words[2] = "TCP4:" + l.relay.address(l.name)
	case "fifo":
		words = []string{"cat", publicPath(l.relay.t, l.name, "out")}
	case "stream":
		words = []string{"curl", "-sSN", "--unix-socket", privatePath(l.relay.t, l.name, "ctl"), "http://channel/stream"}
	}
	run := harness.NewCommand(l.relay.t, words[0], words[1:]...)
	stdout, err := run.StdoutPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		return nil, err
	}
	return &connection{Reader: stdout, process: run.Process, closed: func() {
		run.Process.Kill() // it may have ended
		run.Wait()
	}}, nil
}
