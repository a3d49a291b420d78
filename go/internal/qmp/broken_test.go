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

func TestQEMUEndsDuringACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, ended := connect(t, noEvents)
		done, _ := qemu.busy(c, nil)
		wantNil(t, qemu.conn.Close())
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("Execute: %v", err)
		}
		wantNil(t, <-ended) // Run returns nil when QEMU ends
		if err := c.Execute(t.Context(), "query-status", nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("the next Execute: %v", err)
		}
	})
}

// QEMU answers quit and ends at once: the answer counts. The test repeats this, since select
// chooses at random.
func TestAnswerBeforeTheEnd(t *testing.T) {
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

func TestInvalidMessages(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"not JSON", "QEMU 7.2.0 monitor - type 'help'", "qmp: invalid message from QEMU: "},
		{"JSON of another kind", `[1]`, "qmp: invalid message from QEMU: "},
		{"an id of another type", `{"return": {}, "id": "libvirt-1"}`, "qmp: invalid message from QEMU: "},
		{"too long", `{"event": "` + strings.Repeat("A", maxMessage) + `"}`, "qmp: message from QEMU longer than 1048576 bytes"},
		{"endless", strings.Repeat(" ", 2*maxMessage), "qmp: message from QEMU longer than 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, qemu, ended := connect(t, noEvents)
				done, _ := qemu.busy(c, nil)
				go io.WriteString(qemu.conn, test.sent+"\n") // the client may stop reading
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

func TestMessageOfTheMaximumLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var name string
		c, qemu, _ := connect(t, func(e Event) { name = e.Name })
		long := strings.Repeat("A", maxMessage-100)
		qemu.say(`{"event": "` + long + `"}`)
		qemu.stillWorks(c) // after the event
		if name != long {
			t.Errorf("an event of %d bytes has %d", len(long), len(name))
		}
	})
}

func TestArgumentsThatAreNotJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, qemu, _ := connect(t, noEvents)
		if err := c.Execute(t.Context(), "stop", func() {}, nil); err == nil || !strings.HasPrefix(err.Error(), "qmp: ") {
			t.Errorf("got %v", err)
		}
		qemu.stillWorks(c) // Execute has released its turn
	})
}
