package qmp

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

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

func TestQEMUEndsInTheMiddleOfACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, ended := connect(t, noEvents)
		done, _ := qemu.busy(c, nil)
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
				done, _ := qemu.busy(c, nil)
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
		qemu.stillWorks(c) // after the event
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
		qemu.stillWorks(c) // the turn was given back
	})
}
