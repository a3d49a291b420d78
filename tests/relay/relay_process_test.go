package relay

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// relayProcess is a qemu-relay that the test kills and restarts.
type relayProcess struct {
	t       *testing.T
	program string
	names   []string
	ports   map[string]int // the TCP port of each channel
	run     *exec.Cmd
	ending  atomic.Bool
	ended   chan struct{}
	stderr  strings.Builder

	mu   sync.Mutex
	up   context.Context // ends just before the test kills the relay
	down context.CancelFunc
	next chan struct{} // closed when the next relay runs
}

// startRelay starts a relay for channels. It is killed at the end of the test.
func startRelay(t *testing.T, names ...string) *relayProcess {
	t.Helper()
	r := &relayProcess{t: t, program: harness.DemoProgram(t, "qemu-relay"), names: names, next: make(chan struct{})}
	r.start()
	t.Cleanup(func() {
		r.ending.Store(true)
		r.run.Process.Kill() // an error means that it has ended
		<-r.ended
	})
	return r
}

// address returns the TCP address of a channel.
func (r *relayProcess) address(name string) string { return fmt.Sprintf("127.0.0.1:%d", r.ports[name]) }

// start starts the relay and returns when it serves all channels.
func (r *relayProcess) start() {
	r.t.Helper()
	r.run, r.ended = harness.NewCommand(r.t, r.program, append([]string{"serve"}, r.names...)...), make(chan struct{})
	r.run.Stderr = &r.stderr
	stdout, err := r.run.StdoutPipe()
	if err == nil {
		err = r.run.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	for range r.names {
		if _, err := lines.ReadString('\n'); err != nil {
			r.run.Wait()
			r.t.Fatalf("qemu-relay has not started: %v: %s", r.run.ProcessState, &r.stderr)
		}
	}
	r.ending.Store(false)
	go func(run *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		io.Copy(io.Discard, lines)
		if run.Wait(); !r.ending.Load() {
			r.t.Errorf("qemu-relay has ended: %v: %s", run.ProcessState, &r.stderr)
		}
	}(r.run, r.ended)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up, r.down = context.WithCancel(context.Background())
	close(r.next)
	r.next = make(chan struct{})
}

// killAndRestart kills the relay and starts a new one.
func (r *relayProcess) killAndRestart() {
	r.t.Helper()
	r.down()
	r.ending.Store(true)
	r.run.Process.Kill()
	<-r.ended
	r.start()
}

// stop stops the relay with a signal and waits for its end.
func (r *relayProcess) stop() {
	r.t.Helper()
	r.down()
	r.ending.Store(true)
	r.run.Process.Signal(os.Interrupt)
	select {
	case <-r.ended:
	case <-time.After(harness.WaitLimit):
		r.t.Fatalf("qemu-relay is still running: %s", &r.stderr)
	}
	if !r.run.ProcessState.Success() {
		r.t.Errorf("qemu-relay: %v: %s", r.run.ProcessState, &r.stderr)
	}
}

// awaitUp waits until a relay runs, and returns a context that ends with it.
func (r *relayProcess) awaitUp(ctx context.Context) context.Context {
	for {
		r.mu.Lock()
		up, next := r.up, r.next
		r.mu.Unlock()
		if up.Err() == nil {
			return up
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx
		}
	}
}
