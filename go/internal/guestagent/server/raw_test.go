package server_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent/server"
)

func itoa(n int) string { return strconv.Itoa(n) }

// kill kills a command of an agent, and its children.
func kill(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// raw is a host that sends requests as text.
type raw struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

func newRaw(t *testing.T) raw {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- server.New("1", nil).Serve(t.Context(), theirs) }()
	t.Cleanup(func() {
		ours.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return raw{t, ours, bufio.NewReader(ours)}
}

// send sends text.
func (r raw) send(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatal(err)
	}
}

// receive decodes one answer.
func (r raw) receive(into any) {
	r.t.Helper()
	line, err := r.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		r.t.Fatalf("%v: %q", err, line)
	}
}
