package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const greeting = `{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}`

// peer is QEMU's side of a connection, moved by the test's own hand. It is used
// in a synctest bubble, where whoever waits for ever is a test that fails.
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

// asked wants a request that is want, less its id, and returns the id.
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

// execute is Execute, to be waited for.
func execute(ctx context.Context, c *Client, command string, args, out any) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Execute(ctx, command, args, out) }()
	return done
}

// wantNil fails the test where err is not nil.
func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func noEvents(Event) {}

func TestHandshakeAndACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, ended := connect(t, noEvents)
		shaken := make(chan error, 1)
		go func() { shaken <- c.Handshake(t.Context()) }()
		qemu.say(greeting)
		qemu.answer(qemu.asked(`{"execute":"qmp_capabilities"}`), `{}`)
		wantNil(t, <-shaken)

		var status struct{ Running bool }
		done := execute(t.Context(), c, "query-status", map[string]int{"depth": 1}, &status)
		qemu.answer(qemu.asked(`{"execute":"query-status","arguments":{"depth":1}}`), `{"running": true}`)
		wantNil(t, <-done)
		if !status.Running {
			t.Error("the result was not decoded")
		}
		wantNil(t, c.Close())
		wantNil(t, <-ended)
	})
}

func TestARefusalIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, _ := connect(t, noEvents)
		done := execute(t.Context(), c, "no-such", nil, nil)
		id := qemu.asked(`{"execute":"no-such"}`)
		qemu.say(fmt.Sprintf(`{"id": %d, "error": {"class": "CommandNotFound", "desc": "not found"}}`, id))
		err := <-done
		var refusal *Error
		if !errors.As(err, &refusal) || err.Error() != "qmp: not found" {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&Error{"CommandNotFound", "not found"}, refusal); diff != "" {
			t.Error(diff)
		}
		done = execute(t.Context(), c, "stop", nil, nil) // the connection still works
		qemu.answer(qemu.asked(`{"execute":"stop"}`), `{}`)
		wantNil(t, <-done)
	})
}

func TestAResultOfAnotherKind(t *testing.T) {
	for _, result := range []string{`"text"`, `{"running": 1}`} {
		synctest.Test(t, func(t *testing.T) {
			c, qemu, _ := connect(t, noEvents)
			var status struct{ Running bool }
			done := execute(t.Context(), c, "query-status", nil, &status)
			qemu.answer(qemu.asked(`{"execute":"query-status"}`), result)
			if err := <-done; err == nil || !strings.HasPrefix(err.Error(), "qmp: answer: ") {
				t.Errorf("%s: %v", result, err)
			}
		})
	}
}

func TestEventsComeInOrderAndBetweenAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		c, qemu, _ := connect(t, func(e Event) { events = append(events, e.Name+" "+string(e.Data)) })
		qemu.say(`{"event": "RESUME", "timestamp": {"seconds": 1}}`)
		done := execute(t.Context(), c, "stop", nil, nil)
		id := qemu.asked(`{"execute":"stop"}`)
		qemu.say(`{"event": "STOP", "data": {}}`, `{"event": "RESET", "data": {"guest": true}}`, "")
		qemu.answer(id, `{}`)
		wantNil(t, <-done)
		if diff := cmp.Diff([]string{"RESUME ", "STOP {}", `RESET {"guest": true}`}, events); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAGivenUpCommand wants the answer that comes too late, before or after
// the next request, not to be taken for the next command's.
func TestAGivenUpCommand(t *testing.T) {
	for _, late := range []string{"before the next request", "after it"} {
		t.Run("answered "+late, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, qemu, _ := connect(t, noEvents)
				cause := errors.New("no time left")
				limit, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
				defer cancel()
				done := execute(limit, c, "query-a", nil, nil)
				first := qemu.asked(`{"execute":"query-a"}`)
				if err := <-done; !errors.Is(err, cause) {
					t.Errorf("given up with %v", err)
				}
				if late == "before the next request" {
					qemu.answer(first, `"a"`)
				}
				var got string
				done = execute(t.Context(), c, "query-b", nil, &got)
				second := qemu.asked(`{"execute":"query-b"}`)
				if late == "after it" {
					qemu.answer(first, `"a"`)
				}
				qemu.answer(second, `"b"`)
				wantNil(t, <-done)
				if got != "b" {
					t.Errorf("got the answer %q", got)
				}
			})
		})
	}
}

func TestUnsolicitedAnswersAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, _ := connect(t, noEvents)
		qemu.say(greeting, `{"return": {}}`, `{"return": "stray", "id": 1}`, `{"error": {"desc": "stray"}}`, `{}`)
		var got string
		done := execute(t.Context(), c, "query", nil, &got)
		id := qemu.asked(`{"execute":"query"}`)
		qemu.answer(id+1, `"stray"`)
		qemu.answer(0, `"stray"`)
		qemu.answer(id, `"right"`)
		qemu.answer(id, `"stray"`)
		wantNil(t, <-done)
		if got != "right" {
			t.Errorf("got the answer %q", got)
		}
	})
}

// TestCommandsTakeTurns has many callers at once: each gets its own answer.
func TestCommandsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, _ := connect(t, noEvents)
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				var got int
				err := c.Execute(t.Context(), "echo", i, &got)
				if err != nil || got != i {
					t.Errorf("caller %d got %d, %v", i, got, err)
				}
			})
		}
		for range 20 {
			if !qemu.requests.Scan() {
				t.Fatal(qemu.requests.Err())
			}
			var request struct{ Arguments, ID int }
			wantNil(t, json.Unmarshal(qemu.requests.Bytes(), &request))
			qemu.answer(request.ID, fmt.Sprint(request.Arguments))
		}
		callers.Wait()
	})
}

func TestACallerWhoseTurnDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, _ := connect(t, noEvents)
		done := execute(t.Context(), c, "slow", nil, nil)
		id := qemu.asked(`{"execute":"slow"}`)
		limit, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Execute(limit, "next", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		qemu.answer(id, `{}`)
		wantNil(t, <-done)
	})
}

func TestQEMUEndsInTheMiddleOfACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, ended := connect(t, noEvents)
		done := execute(t.Context(), c, "query-status", nil, nil)
		qemu.asked(`{"execute":"query-status"}`)
		wantNil(t, qemu.conn.Close())
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("Execute: %v", err)
		}
		wantNil(t, <-ended) // an end is no error of Run
		if err := c.Execute(t.Context(), "query-status", nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("the next Execute: %v", err)
		}
	})
}

// TestAnAnswerBeforeTheEndCounts has QEMU answer and end at once, as it does
// when told to quit. It is tried often: select picks at random.
func TestAnAnswerBeforeTheEndCounts(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			c, _, _ := connect(t, noEvents)
			id := c.expect()
			c.dispatch(message{ID: id, Return: json.RawMessage(`{}`)})
			wantNil(t, c.Close())
			<-c.closed
			wantNil(t, c.answer(t.Context(), nil))
		})
	}
}

func TestWhatIsNotQMPEndsRun(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"no JSON", "QEMU 7.2.0 monitor - type 'help'", "qmp: QEMU sent no JSON: "},
		{"JSON of another kind", `[1]`, "qmp: QEMU sent no JSON: "},
		{"an id that we did not send", `{"return": {}, "id": "libvirt-1"}`, "qmp: QEMU sent no JSON: "},
		{"too long", `{"event": "` + strings.Repeat("A", maxMessage) + `"}`, "qmp: QEMU sent a message of more than 1048576 bytes"},
		{"endless", strings.Repeat(" ", 2*maxMessage), "qmp: QEMU sent a message of more than 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, qemu, ended := connect(t, noEvents)
				done := execute(t.Context(), c, "query-status", nil, nil)
				qemu.asked(`{"execute":"query-status"}`)
				go io.WriteString(qemu.conn, test.sent+"\n") // it may be read in part
				if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("Run: %v", err)
				}
				if err := <-done; !errors.Is(err, ErrClosed) {
					t.Errorf("Execute: %v", err)
				}
			})
		})
	}
}

func TestAMessageJustWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var name string
		c, qemu, _ := connect(t, func(e Event) { name = e.Name })
		long := strings.Repeat("A", maxMessage-100)
		qemu.say(`{"event": "` + long + `"}`)
		done := execute(t.Context(), c, "stop", nil, nil) // after the event
		qemu.answer(qemu.asked(`{"execute":"stop"}`), `{}`)
		wantNil(t, <-done)
		if name != long {
			t.Errorf("an event of %d bytes came as %d", len(long), len(name))
		}
	})
}

func TestArgumentsThatAreNoJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, _ := connect(t, noEvents)
		if err := c.Execute(t.Context(), "stop", func() {}, nil); err == nil || !strings.HasPrefix(err.Error(), "qmp: ") {
			t.Errorf("got %v", err)
		}
		done := execute(t.Context(), c, "stop", nil, nil) // the turn was given back
		qemu.answer(qemu.asked(`{"execute":"stop"}`), `{}`)
		wantNil(t, <-done)
	})
}
