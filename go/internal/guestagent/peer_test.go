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

// peer is the agent's side of a connection, moved by the test's own hand. It is
// used in a synctest bubble, where whoever waits for ever is a test that fails.
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

// say sends text as it stands.
func (p peer) say(text string) {
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Error(err)
	}
}

// asked wants a request for command, and returns its arguments. Those that synchronise
// are answered, unless it is one of them that is wanted.
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
			p.t.Errorf("%q: the delimiter is there: %t", line, delimited)
		}
		if request.Execute == command {
			return request.Arguments
		}
		if request.Execute != CommandSyncDelimited {
			p.t.Errorf("asked for %q, want %s", line, command)
			return nil
		}
		p.say(synced(request.Arguments))
	}
}

// synced is the answer to a synchronisation.
func synced(args map[string]any) string {
	return fmt.Sprintf("\xFF{\"return\": %.0f}\n", args["id"])
}

// ping is Ping with a time limit, to be waited for.
func ping(c *Client, limit time.Duration) <-chan error {
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() {
		defer cancel()
		done <- c.Ping(ctx)
	}()
	return done
}

// stillWorks has one request answered.
func (p peer) stillWorks(c *Client) {
	p.t.Helper()
	done := ping(c, time.Second)
	p.asked(CommandPing)
	p.say("{\"return\": {}}\n")
	if err := <-done; err != nil {
		p.t.Error(err)
	}
}
