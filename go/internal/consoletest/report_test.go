package consoletest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRunRunsAllInOrderAndEachWithinItsLimit(t *testing.T) {
	ctx, over := context.WithCancelCause(t.Context())
	report := Run(ctx, []Check{
		{"passes", func(context.Context) error { return nil }},
		{"fails", func(context.Context) error { return errors.New("wrong") }},
		{"takes too long", func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}},
		{"sees the end", func(context.Context) error {
			over(errors.New("the VM has ended"))
			return nil
		}},
		{"comes too late", func(context.Context) error { return nil }},
	}, 50*time.Millisecond, func(Result, bool) {})

	got := map[string]string{}
	for _, result := range report.Results {
		got[result.Name] = ""
		if result.Err != nil {
			got[result.Name] = result.Err.Error()
		}
	}
	want := map[string]string{
		"passes":         "",
		"fails":          "wrong",
		"takes too long": "nothing within 50ms",
		"sees the end":   "",
		"comes too late": "not run: the VM has ended",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if report.Failed() != 3 {
		t.Errorf("%d failed, want 3", report.Failed())
	}
}

func TestPretty(t *testing.T) {
	passed := Result{Name: "a", Duration: 1500 * time.Millisecond}
	failed := Result{Name: "b", Err: errors.New("why")}
	for _, test := range []struct {
		name   string
		pretty Pretty
		want   string
	}{
		{"plain", Pretty{}, "ok      1.50 s  a\nFAIL    0.00 s  b\n                why\n1 passed, 1 failed\n"},
		{"in colour", Pretty{Colour: true}, "\x1b[32mok  \x1b[0m    1.50 s  a\n\x1b[31mFAIL\x1b[0m    0.00 s  b\n                why\n1 passed, 1 failed\n"},
		{"animated", Pretty{Animate: true}, "\x1b[K...          a\r\x1b[Kok      1.50 s  a\n\x1b[K...          b\r\x1b[KFAIL    0.00 s  b\n                why\n1 passed, 1 failed\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			test.pretty.W = &text
			for _, result := range []Result{passed, failed} {
				test.pretty.Progress(result, false)
				test.pretty.Progress(result, true)
			}
			test.pretty.Close(Report{[]Result{passed, failed}})
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
