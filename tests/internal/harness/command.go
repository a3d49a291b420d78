package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Command runs a command in dir and returns its output, stdout and stderr together.
func Command(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	// The test's own context has ended when clean-ups run commands.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	run := NewCommandContext(ctx, t, name, args...)
	run.Dir = dir
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 10 * time.Second
	output, err := run.CombinedOutput()
	return string(output), err
}

// Must is Command, except that an error ends the test.
func Must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	output, err := Command(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
	return output
}

// NewCommand is exec.Command with the environment of the test, including PATH.
func NewCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return NewCommandContext(context.Background(), t, name, args...)
}

// NewCommandContext is exec.CommandContext with the environment of the test.
func NewCommandContext(ctx context.Context, t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	run := exec.CommandContext(ctx, name, args...)
	run.Env = environ(t)
	if strings.Contains(name, "/") {
		return run
	}
	for _, dir := range filepath.SplitList(Getenv(t, "PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil {
			run.Path, run.Err = path, nil
			break
		}
	}
	return run
}
