package consoletest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/report"
)

// passes is the action of a check that finds all well.
func passes(context.Context) error { return nil }

// untilTheEnd is the action of one that never does.
func untilTheEnd(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// outcome runs checks, the limit of which is long, and tells how each came out.
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

func TestRunMakesAllInOrderAndEachWithinItsLimit(t *testing.T) {
	ctx, over := context.WithCancelCause(t.Context())
	got := outcome(ctx, []Check{
		{Name: "passes", Run: passes},
		{Name: "fails", Run: func(context.Context) error { return errors.New("wrong") }},
		{Name: "takes too long", Run: untilTheEnd},
		{Name: "has a limit of its own", Run: untilTheEnd, Limit: 20 * time.Millisecond},
		{Name: "cannot be made", Run: untilTheEnd, Skip: "there is no login"},
		{Name: "for others", Run: passes, Quiet: true},
		{Name: "for others, and fails", Run: func(context.Context) error { return errors.New("wrong") }, Quiet: true},
		{Name: "sees the end", Run: func(context.Context) error {
			over(fmt.Errorf("%w: why", ErrEnded))
			return nil
		}},
		{Name: "comes too late", Run: passes},
		{Name: "looks at what is left", Run: func(ctx context.Context) error { return ctx.Err() }, AfterEnd: true},
		{Name: "looks too long", Run: untilTheEnd, AfterEnd: true},
	}, 50*time.Millisecond)
	want := map[string]string{
		"passes":                 "ok",
		"fails":                  "wrong",
		"takes too long":         "nothing within 50ms",
		"has a limit of its own": "nothing within 20ms",
		"cannot be made":         "skipped: there is no login",
		"for others, and fails":  "wrong",
		"sees the end":           "ok",
		"comes too late":         "not run: the VM has ended",
		"looks at what is left":  "ok",
		"looks too long":         "nothing within 50ms",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A check that fails because somebody has interrupted it has not failed, and those
// behind it are not run, whatever they could do; one that has failed before has.
func TestRunInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	got := outcome(ctx, []Check{
		{Name: "fails", Run: func(context.Context) error { return errors.New("wrong") }},
		{Name: "passes all the same", Run: func(context.Context) error { interrupt(); return nil }},
		{Name: "comes too late", Run: passes},
		{Name: "would look at what is left", Run: passes, AfterEnd: true},
		{Name: "cannot be made", Skip: "there is no login"},
		{Name: "for others", Run: passes, Quiet: true},
	}, time.Minute)
	want := map[string]string{
		"fails": "wrong", "passes all the same": "ok", "cannot be made": "skipped: there is no login",
		"comes too late": "not run, interrupted", "would look at what is left": "not run, interrupted",
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

// What is made for others shows nothing while it is made, or that it passed.
func TestRunShowsWhatWasAskedFor(t *testing.T) {
	var got []string
	Run(t.Context(), []Check{
		{Name: "quiet", Run: passes, Quiet: true},
		{Name: "asked for", Run: passes},
		{Name: "skipped", Skip: "why"},
	}, time.Minute, func(result report.Result, done bool) {
		got = append(got, map[bool]string{false: "begins ", true: "done "}[done]+result.Name)
	})
	if diff := cmp.Diff([]string{"begins asked for", "done asked for", "done skipped"}, got); diff != "" {
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
		want    []string // a quiet one in brackets
	}{
		{"tty b", []string{"(start)", "(connect)", "(login b)", "tty b", "(stop)"}},
		{"a$", []string{"(start)", "(connect)", "login a", "tty a", "(stop)"}},
		{"^stop$", []string{"(start)", "(connect)", "stop"}},
		{"", []string{"start", "connect", "login a", "login b", "tty a", "tty b", "stop"}},
		{"no such", nil},
	} {
		t.Run(test.pattern, func(t *testing.T) {
			var got []string
			for _, check := range Choose(all, regexp.MustCompile(test.pattern)) {
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
