package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHandshakeAndCommand(t *testing.T) {
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

func TestErrorOfQEMU(t *testing.T) {
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
		qemu.stillWorks(c)
	})
}

func TestResultOfAnotherType(t *testing.T) {
	for _, result := range []string{`"text"`, `{"running": 1}`} {
		synctest.Test(t, func(t *testing.T) {
			c, qemu, _ := connect(t, noEvents)
			var status struct{ Running bool }
			done, id := qemu.busy(c, &status)
			qemu.answer(id, result)
			if err := <-done; err == nil || !strings.HasPrefix(err.Error(), "qmp: decode answer: ") {
				t.Errorf("%s: %v", result, err)
			}
		})
	}
}

func TestEventsBetweenAnswers(t *testing.T) {
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

// A late answer, before or after the next request, is not taken for that of the next command.
func TestLateAnswer(t *testing.T) {
	for _, late := range []string{"before the next request", "after it"} {
		t.Run("answered "+late, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, qemu, _ := connect(t, noEvents)
				cause := errors.New("timeout")
				limit, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
				defer cancel()
				done := execute(limit, c, "query-a", nil, nil)
				first := qemu.asked(`{"execute":"query-a"}`)
				if err := <-done; !errors.Is(err, cause) {
					t.Errorf("got %v", err)
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

// Of many concurrent callers each gets its own answer.
func TestConcurrentCommands(t *testing.T) {
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

func TestCallerThatTimesOutBeforeItsTurn(t *testing.T) {
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
