package guestagent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bubble runs synctest.Test with a client and its peer.
func bubble(t *testing.T, test func(t *testing.T, c *Client, p peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, p := connect(t)
		test(t, c, p)
	})
}

func TestFirstRequestSynchronizes(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		done := ping(c, time.Second)
		args := p.asked(CommandSyncDelimited)
		p.say(`{"error": {"class": "GenericError", "desc": "JSON parse error"}}` + "\n") // caused by the delimiter
		p.say("\xFF" + `{"return": 7}` + "\n")                                           // to an earlier client
		p.say("junk\n{\"ret" + synced(args))
		p.asked(CommandPing)
		p.say("{\"return\": {}}\r\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
		// The next request does not synchronize.
		done = ping(c, time.Second)
		line, err := p.requests.ReadString('\n')
		if err != nil || line != `{"execute":"guest-ping"}`+"\n" {
			t.Errorf("%v, %q", err, line)
		}
		p.say("{\"return\": {}}\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAbsentAgent(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		for range 3 { // the agent does not read, so that the write must time out
			if err := <-ping(c, time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		p.stillWorks(c)
	})
}

func TestLateAnswerIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		done := ping(c, time.Second)
		p.asked(CommandPing)
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		p.say("{\"error\": {\"class\": \"\", \"desc\": \"late\"}}\n")
		p.stillWorks(c)
	})
}

// A request that changes the guest is sent only after an answer, so that it never stays in a buffer.
func TestChangeIsSentAfterAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		p.stillWorks(c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error)
		go func() { done <- c.SetConsoleSize(ctx, "hvc0", 24, 80) }()
		args := p.asked(CommandSyncDelimited)
		synctest.Wait() // until the client blocks
		if p.requests.Buffered() > 0 {
			t.Error("the command was sent before the answer")
		}
		p.say(synced(args))
		if diff := cmp.Diff(map[string]any{"device": "hvc0", "rows": 24.0, "columns": 80.0}, p.asked(CommandSetConsoleSize)); diff != "" {
			t.Error(diff)
		}
		p.say("{\"return\": {}}\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestBadAnswers(t *testing.T) {
	tests := []struct{ name, answer, want string }{
		{"an error", `{"error": {"class": "CommandNotFound", "desc": "The command guest-ping has not been found"}}`, "guest: The command guest-ping has not been found"},
		{"broken", `{"return": {}`, "guest: invalid answer: " + json.Unmarshal([]byte(`{"return": {}`), new(any)).Error()},
		{"empty", `{}`, "guest: answer with neither a value nor an error"},
		{"too long", `{"return": "` + strings.Repeat("x", MaxReply) + `"}`, "guest: answer longer than 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Client, p peer) {
				done := ping(c, time.Second)
				p.asked(CommandPing)
				p.say("text that is not an object\n[1]\n" + test.answer + "\n")
				if err := <-done; err == nil || err.Error() != CommandPing+": "+test.want {
					t.Errorf("got %v", err)
				}
				p.stillWorks(c)
			})
		})
	}
}

func TestShutdown(t *testing.T) {
	tests := []struct {
		name  string
		reply func(p peer)
		want  string
	}{
		{"no answer", func(peer) {}, ""},
		{"an answer", func(p peer) { p.say("{\"return\": {}}\n") }, ""},
		{"the end of QEMU", func(p peer) { p.conn.Close() }, ""},
		{"an error", func(p peer) { p.say("{\"error\": {\"desc\": \"no\"}}\n") }, "guest-shutdown: guest: no"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Client, p peer) {
				done := make(chan error)
				go func() { done <- c.Shutdown(t.Context(), Reboot) }()
				if diff := cmp.Diff(map[string]any{"mode": "reboot"}, p.asked(CommandShutdown)); diff != "" {
					t.Error(diff)
				}
				test.reply(p)
				got := ""
				if err := <-done; err != nil {
					got = err.Error()
				}
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		})
	}
}

func TestShutdownOfAnAbsentAgent(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, _ peer) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Shutdown(ctx, Powerdown); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEndOfTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		done, waiting := ping(c, time.Hour), ping(c, time.Hour)
		p.asked(CommandPing)
		p.conn.Close()
		for _, done := range []<-chan error{done, waiting, ping(c, time.Hour)} {
			if err := <-done; !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestConcurrentRequests(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		first := ping(c, time.Hour)
		p.asked(CommandPing)
		if err := <-ping(c, time.Second); err == nil || !strings.Contains(err.Error(), "busy") {
			t.Errorf("got %v", err)
		}
		p.say("{\"return\": {}}\n")
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// fixedConn is a connection to an agent that sends the content of the Reader and ends.
type fixedConn struct {
	io.Reader
	net.Conn // nil
}

func (c fixedConn) Read(p []byte) (int, error)     { return c.Reader.Read(p) }
func (fixedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (fixedConn) SetWriteDeadline(time.Time) error { return nil }
