package consoletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/guest"
	"microvm-console/internal/kevent"
	"microvm-console/internal/report"
	"microvm-console/internal/verdict"
)

// passes is the Run of a check that passes.
func passes(context.Context) error { return nil }

// untilTheEnd is the Run of a check that waits in vain.
func untilTheEnd(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// outcome runs checks, each for at most limit, and returns their results as text.
func outcome(ctx context.Context, checks []Check, limit time.Duration) map[string]string {
	got := map[string]string{}
	for _, result := range Run(ctx, checks, limit, func(report.Result, bool) {}) {
		switch {
		case result.Err != nil:
			got[result.Name] = result.Err.Error()
		case result.NotRun == notBegun && result.Duration != 0:
			got[result.Name] = "took time"
		case result.NotRun != "":
			got[result.Name] = "not run, " + result.NotRun
		case result.Skipped != "":
			got[result.Name] = "skipped: " + result.Skipped
		default:
			got[result.Name] = "ok"
		}
	}
	return got
}

func TestRun(t *testing.T) {
	ctx, over := context.WithCancelCause(t.Context())
	got := outcome(ctx, []Check{
		{Name: "passes", Run: passes},
		{Name: "fails", Run: func(context.Context) error { return errors.New("wrong") }},
		{Name: "takes too long", Run: untilTheEnd},
		{Name: "has a limit of its own", Run: untilTheEnd, Limit: 20 * time.Millisecond},
		{Name: "skipped", Run: untilTheEnd, Skip: "no login"},
		{Name: "for others", Run: passes, Quiet: true},
		{Name: "for others, and fails", Run: func(context.Context) error { return errors.New("wrong") }, Quiet: true},
		{Name: "sees the end", Run: func(context.Context) error {
			over(&End{How: errors.New("why")})
			return nil
		}},
		{Name: "comes too late", Run: passes},
		{Name: "comes later", Run: passes},
		{Name: "runs after the end", Run: passes, AfterEnd: true},
		{Name: "waits after the end", Run: untilTheEnd, AfterEnd: true},
		{Name: "cleans up", Run: func(ctx context.Context) error { return ctx.Err() }, AfterEnd: true, Always: true},
		{Name: "cleans up for too long", Run: untilTheEnd, AfterEnd: true, Always: true},
	}, 50*time.Millisecond)
	want := map[string]string{
		"passes":                 "ok",
		"fails":                  "wrong",
		"takes too long":         "nothing within 50ms",
		"has a limit of its own": "nothing within 20ms",
		"skipped":                "skipped: no login",
		"for others, and fails":  "wrong",
		"sees the end":           "ok",
		"comes too late":         "why",
		"comes later":            `not run, the VM has ended: see "comes too late"`,
		"runs after the end":     "ok",
		"waits after the end":    `not run, the VM has ended: see "comes too late"`,
		"cleans up":              "ok",
		"cleans up for too long": "nothing within 50ms",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// oopsAndPanic is the verdict on a log with an oops and a panic.
var oopsAndPanic = verdict.Result{Verdict: verdict.Broken, Events: []verdict.Event{
	{
		Event:   kevent.Event{Kind: kevent.Oops, Function: "fuzz_open", Title: "Oops: 0000", Begin: 3, Fingerprint: "oops"},
		Console: "ttyS0", Treatment: verdict.Fail, Lines: []string{"a line"},
	},
	{
		Event:   kevent.Event{Kind: kevent.Panic, Title: "Kernel panic - not syncing: Fatal exception", Begin: 9, Fingerprint: "panic"},
		Console: "ttyS0", Treatment: verdict.Fail,
	},
}}

// The end of the machine is one failure, with the events in the kernel's log: that of the check that has seen it. A check that an
// earlier failure makes impossible is not run.
func TestRunAfterTheEnd(t *testing.T) {
	ctx, over := context.WithCancelCause(t.Context())
	got := outcome(ctx, []Check{
		{Name: "needs a login", Run: func(context.Context) error { return needs("no login on ttyS0") }},
		{Name: "loses its connection", Run: func(context.Context) error {
			over(&End{How: &guest.Error{Cause: guest.Panicked, Message: "Kernel panic - not syncing: Fatal exception"}, Kernel: oopsAndPanic})
			return fmt.Errorf("line 7: %w", io.ErrUnexpectedEOF)
		}},
		{Name: "comes too late", Run: passes},
		{Name: "sees the end too", Run: func(context.Context) error { return failed("no text", ErrEnded, "") }, AfterEnd: true},
		{Name: "leaves a file", Run: func(context.Context) error { return errors.New("a file") }, AfterEnd: true},
	}, time.Minute)
	want := map[string]string{
		"needs a login": "not run, no login on ttyS0",
		"loses its connection": "guest panicked; the kernel has reported: oops in fuzz_open: Oops: 0000 (ttyS0, offset 3)\n  a line\n" +
			"panic: Kernel panic - not syncing: Fatal exception (ttyS0, offset 9)\n" +
			"line 7: " + io.ErrUnexpectedEOF.Error() + ": the VM has ended",
		"comes too late":   `not run, the VM has ended: see "loses its connection"`,
		"sees the end too": `not run, the VM has ended: see "loses its connection"`,
		"leaves a file":    "a file",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A check that is interrupted, and those after it, are not run. A check that failed earlier
// has failed.
func TestRunInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	got := outcome(ctx, []Check{
		{Name: "fails", Run: func(context.Context) error { return errors.New("wrong") }},
		{Name: "passes", Run: func(context.Context) error { interrupt(); return nil }},
		{Name: "comes too late", Run: passes},
		{Name: "could run after the end", Run: passes, AfterEnd: true},
		{Name: "skipped", Skip: "no login"},
		{Name: "for others", Run: passes, Quiet: true},
	}, time.Minute)
	want := map[string]string{
		"fails": "wrong", "passes": "ok", "skipped": "skipped: no login",
		"comes too late": "not run, interrupted", "could run after the end": "not run, interrupted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ctx, interrupt = context.WithCancel(t.Context())
	got = outcome(ctx, []Check{{Name: "under way", Run: func(ctx context.Context) error {
		interrupt()
		return untilTheEnd(ctx)
	}}}, time.Minute)
	if diff := cmp.Diff(map[string]string{"under way": "not run, interrupted before its end"}, got); diff != "" {
		t.Error(diff)
	}
}

// A quiet check that passes is not reported.
func TestRunReportsProgress(t *testing.T) {
	var got []string
	Run(t.Context(), []Check{
		{Name: "quiet", Run: passes, Quiet: true},
		{Name: "chosen", Run: passes},
		{Name: "skipped", Skip: "why"},
	}, time.Minute, func(result report.Result, done bool) {
		got = append(got, map[bool]string{false: "begins ", true: "done "}[done]+result.Name)
	})
	if diff := cmp.Diff([]string{"begins chosen", "done chosen", "done skipped"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestChoose(t *testing.T) {
	all := []Check{
		{Name: "start"},
		{Name: "connect", Needs: []string{"start"}},
		{Name: "login a", Needs: []string{"connect"}},
		{Name: "login b", Needs: []string{"connect"}},
		{Name: "tty a", Needs: []string{"login a"}},
		{Name: "tty b", Needs: []string{"login b"}},
		{Name: "stop", Needs: []string{"connect"}, Always: true},
	}
	for _, test := range []struct {
		pattern string
		want    []string // quiet ones in parentheses
	}{
		{"tty b", []string{"(start)", "(connect)", "(login b)", "tty b", "(stop)"}},
		{"a$", []string{"(start)", "(connect)", "login a", "tty a", "(stop)"}},
		{"^stop$", []string{"(start)", "(connect)", "stop"}},
		{"", []string{"start", "connect", "login a", "login b", "tty a", "tty b", "stop"}},
		{"no such", nil},
	} {
		t.Run(test.pattern, func(t *testing.T) {
			var got []string
			matches := func(check Check) bool { return regexp.MustCompile(test.pattern).MatchString(check.Name) }
			for _, check := range Choose(all, matches) {
				if check.Quiet {
					check.Name = "(" + check.Name + ")"
				}
				got = append(got, check.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The end of the machine has a cause of its own: the last line, a panic's, would repeat it.
func TestFailed(t *testing.T) {
	const what, last = "no login prompt", `last line: "["`
	for _, test := range []struct {
		cause      error
		last, want string
	}{
		{errLimit(time.Second), last, `no login prompt within 1s; last line: "["`},
		{errLimit(time.Second), "", `no login prompt within 1s`},
		{errClosed, last, `no login prompt: connection closed; last line: "["`},
		{fmt.Errorf("%w: guest panicked: x", ErrEnded), last, `no login prompt: the VM has ended: guest panicked: x`},
	} {
		if got := failed(what, test.cause, test.last); got.Error() != test.want {
			t.Errorf("got %v, want %s", got, test.want)
		}
	}
}

// A failure names a gap that has come, or has grown, during the check.
func TestGaps(t *testing.T) {
	old := verdict.Gap{Console: "ttyS0", Offset: 3, Bytes: -1, Cause: "old"}
	full := verdict.Gap{Console: "hvc0", Offset: 12, Bytes: 5, Cause: "no space"}
	grown := full
	grown.Bytes = 9
	for _, test := range []struct {
		name          string
		before, after []verdict.Gap
		err           error
		want          string // "" if it passes
	}{
		{"no gap", nil, nil, errClosed, "connection closed"},
		{"an old gap", []verdict.Gap{old}, []verdict.Gap{old}, errClosed, "connection closed"},
		{"a new gap", []verdict.Gap{old}, []verdict.Gap{old, full}, errClosed,
			"connection closed; 5 bytes are missing on hvc0 before offset 12 (no space)"},
		{"a gap that has grown", []verdict.Gap{full}, []verdict.Gap{grown}, errClosed,
			"connection closed; 9 bytes are missing on hvc0 before offset 12 (no space)"},
		{"a check that passes", nil, []verdict.Gap{full}, nil, ""},
	} {
		gaps := test.before
		check := Check{Run: func(context.Context) error {
			gaps = test.after
			return test.err
		}}.withGaps(func() []verdict.Gap { return gaps })
		err := check.Run(t.Context())
		if got := fmt.Sprint(err); (err != nil || test.want != "") && got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// A check that ends with the limit of Run while the guest is slow names --timeout.
func TestAdvice(t *testing.T) {
	waits := func(ctx context.Context) error {
		<-ctx.Done()
		return failed("no prompt", context.Cause(ctx), "")
	}
	for _, test := range []struct {
		name    string
		check   Check
		slow    bool
		advised bool
	}{
		{"slow", Check{Run: waits}, true, true},
		{"silent", Check{Run: waits}, false, false},
		{"its own limit", Check{Run: waits, Limit: time.Millisecond}, true, false},
		{"another failure", Check{Run: func(context.Context) error { return errClosed }}, true, false},
	} {
		check := test.check.withAdvice(func() bool { return test.slow })
		results := Run(t.Context(), []Check{check}, time.Millisecond, func(report.Result, bool) {})
		if err := results[0].Err; err == nil || strings.Contains(err.Error(), "--timeout") != test.advised {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
