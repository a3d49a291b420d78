package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const greeting = `{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}`

// peer is QEMU's side of a connection, controlled by the test. It is used in a synctest bubble, in
// which a deadlock fails the test.
type peer struct {
	t        *testing.T
	conn     net.Conn
	requests *bufio.Scanner
}

// connect returns a client, its peer, and the channel of Run's error.
func connect(t *testing.T, events func(Event)) (*Client, peer, <-chan error) {
	ours, theirs := net.Pipe()
	c := New(ours, events)
	ended := make(chan error, 1)
	go func() { ended <- c.Run() }()
	t.Cleanup(func() {
		c.Close()
		theirs.Close()
	})
	return c, peer{t, theirs, bufio.NewScanner(theirs)}, ended
}

// say sends lines.
func (p peer) say(lines ...string) {
	for _, line := range lines {
		if _, err := io.WriteString(p.conn, line+"\r\n"); err != nil {
			p.t.Error(err)
		}
	}
}

// asked reads a request, compares it with want, which has no id, and returns its id.
func (p peer) asked(want string) (id int) {
	if !p.requests.Scan() {
		p.t.Errorf("no request: %v", p.requests.Err())
	}
	var request struct{ ID int }
	if err := json.Unmarshal(p.requests.Bytes(), &request); err != nil {
		p.t.Error(err)
	}
	got := strings.Replace(p.requests.Text(), fmt.Sprintf(`,"id":%d`, request.ID), "", 1)
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Error(diff)
	}
	return request.ID
}

// answer answers the request id.
func (p peer) answer(id int, text string) {
	p.say(fmt.Sprintf(`{"return": %s, "id": %d}`, text, id))
}

// execute calls Execute in the background, and returns the channel of its error.
func execute(ctx context.Context, c *Client, command string, args, out any) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Execute(ctx, command, args, out) }()
	return done
}

// busy has the client wait for the answer to query-status, and returns the request's id.
func (p peer) busy(c *Client, out any) (done <-chan error, id int) {
	done = execute(p.t.Context(), c, "query-status", nil, out)
	return done, p.asked(`{"execute":"query-status"}`)
}

// stillWorks fails the test if a command does not succeed.
func (p peer) stillWorks(c *Client) {
	p.t.Helper()
	done := execute(p.t.Context(), c, "stop", nil, nil)
	p.answer(p.asked(`{"execute":"stop"}`), `{}`)
	wantNil(p.t, <-done)
}

// wantNil fails the test if err is not nil.
func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func noEvents(Event) {}
