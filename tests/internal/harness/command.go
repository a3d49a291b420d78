package harness

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// Command is a command in dir that ends with the test, output in one string.
func Command(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	// Not the test's own context: a clean-up runs commands too.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	run := NewCommandContext(ctx, t, name, args...)
	run.Dir = dir
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 10 * time.Second
	output, err := run.CombinedOutput()
	return string(output), err
}

// Must is command for one that has to work.
func Must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	output, err := Command(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
	return output
}
