package consoletest

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// A restart ends the command that runs at once. Another check continues, and a later command runs.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		console, guest := connected(t)
		go io.Copy(io.Discard, guest)
		s := suiteOn(console, true, vmconfig.Check{Name: "command", Run: "sleep 60"}, vmconfig.Check{Name: "text", Expect: "hello"},
			vmconfig.Check{Name: "tests", Run: "kselftest", KTAP: true})
		for i, want := range map[int]string{
			0: `no answer to "sleep 60" on ttyS0: the guest restarted; no shell has started it`,
			1: `no "hello" on ttyS0 within 1m0s; it printed nothing`,
			2: `guest: no results of tests on ttyS0: no answer to "kselftest" on ttyS0: the guest restarted; no shell has started it`,
		} {
			check := s.declared()[i]
			go func() {
				time.Sleep(time.Second)
				s.Restarts.Note()
			}()
			err := check.within(t.Context(), time.Minute)
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Error(diff)
			}
		}
		s.Restarts.Note() // no check runs
		if err := s.Restarts.end(func(ctx context.Context) error { return context.Cause(ctx) })(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The error of a login names the restarts while it waited, and no earlier one.
func TestLoginWithRestarts(t *testing.T) {
	for restarts, want := range map[int]string{
		0: `no login prompt within 1m0s; last line: "Switched to clocksource tsc"`,
		1: `no login prompt within 1m0s; last line: "Switched to clocksource tsc" (the guest restarted once)`,
		2: `no login prompt within 1m0s; last line: "Switched to clocksource tsc" (the guest restarted 2 times)`,
	} {
		synctest.Test(t, func(t *testing.T) {
			console, guest := connected(t)
			var count atomic.Int64
			count.Store(1) // before the check
			login := Check{Run: withRestarts(func() int { return int(count.Load()) }, console.Login)}
			go func() {
				_, _ = io.WriteString(guest, "Switched to clocksource tsc\r\n")
				count.Add(int64(restarts))
			}()
			err := login.within(t.Context(), time.Minute)
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
