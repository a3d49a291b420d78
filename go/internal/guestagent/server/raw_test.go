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

// kill ends what an agent has started, and its children.
func kill(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// raw is a host that writes its requests by hand.
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

func (r raw) say(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatal(err)
	}
}

// hear decodes one answer.
func (r raw) hear(into any) {
	r.t.Helper()
	line, err := r.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		r.t.Fatalf("%v: %q", err, line)
	}
}
