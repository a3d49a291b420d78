package guestagent

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// peer is the agent's side of a connection, controlled by the test. It is used in a synctest
// bubble, in which a deadlock fails the test.
type peer struct {
	t        *testing.T
	conn     net.Conn
	requests *bufio.Reader
}

// connect returns a client and its peer.
func connect(t *testing.T) (*Client, peer) {
	ours, theirs := net.Pipe()
	c := New(ours)
	ended := make(chan error, 1)
	go func() { ended <- c.Run() }()
	t.Cleanup(func() {
		c.Close()
		theirs.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c, peer{t, theirs, bufio.NewReader(theirs)}
}

// say sends text.
func (p peer) say(text string) {
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Error(err)
	}
}

// asked reads requests up to one for command, and returns its arguments. It answers the
// synchronizations before it.
func (p peer) asked(command string) (args map[string]any) {
	for {
		line, err := p.requests.ReadBytes('\n')
		if err != nil {
			p.t.Errorf("no request %s: %v", command, err)
			return nil
		}
		delimited := line[0] == Delimiter
		if delimited {
			line = line[1:]
		}
		var request struct {
			Execute   string
			Arguments map[string]any
		}
		if err := json.Unmarshal(line, &request); err != nil {
			p.t.Errorf("%q: %v", line, err)
		}
		if delimited != (request.Execute == CommandSyncDelimited) {
			p.t.Errorf("%q: delimited: %t", line, delimited)
		}
		if request.Execute == command {
			return request.Arguments
		}
		if request.Execute != CommandSyncDelimited {
			p.t.Errorf("got the request %q, want %s", line, command)
			return nil
		}
		p.say(synced(request.Arguments))
	}
}

// synced returns the answer to a synchronization.
func synced(args map[string]any) string {
	return fmt.Sprintf("\xFF{\"return\": %.0f}\n", args["id"])
}

// ping calls Ping with a timeout in the background, and returns the channel of its error.
func ping(c *Client, limit time.Duration) <-chan error {
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() {
		defer cancel()
		done <- c.Ping(ctx)
	}()
	return done
}

// stillWorks fails the test if a request does not succeed.
func (p peer) stillWorks(c *Client) {
	p.t.Helper()
	done := ping(c, time.Second)
	p.asked(CommandPing)
	p.say("{\"return\": {}}\n")
	if err := <-done; err != nil {
		p.t.Error(err)
	}
}
