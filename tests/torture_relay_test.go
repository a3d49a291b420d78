package tests

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// setUp writes the settings of the relays that the test starts: its own folder,
// and more.
func setUp(t *testing.T, more string) {
	t.Helper()
	path := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "config.json")
	text := fmt.Sprintf(`{"directory": %q, %s}`, filepath.Dir(path), more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("QEMU_RELAY_CONFIG", path)
}

// channelPath is a file in a channel's private folder.
func channelPath(name, file string) string {
	return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "qemu-relay", name, file)
}

// publicPath is a channel's public endpoint: "out", "sock".
func publicPath(name, suffix string) string {
	return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "qemu-"+name+"."+suffix)
}

func journalOf(name string) string {
	return filepath.Join(os.Getenv("XDG_STATE_HOME"), "qemu-relay", name)
}

// served is a qemu-relay that is started again when it was killed.
type served struct {
	t       *testing.T
	program string
	names   []string
	run     *exec.Cmd
	ending  atomic.Bool
	ended   chan struct{}
	stderr  strings.Builder

	mu   sync.Mutex
	up   context.Context // ends just before the relay is ended
	down context.CancelFunc
	next chan struct{} // closed when another one is up
}

// serving starts a relay of channels. The test ends it.
func serving(t *testing.T, names ...string) *served {
	t.Helper()
	r := &served{t: t, program: program(t, "qemu-relay"), names: names, next: make(chan struct{})}
	r.start()
	t.Cleanup(func() {
		r.ending.Store(true)
		r.run.Process.Kill() // it may have ended
		<-r.ended
	})
	return r
}

// start starts it and returns when all its endpoints are there.
func (r *served) start() {
	r.t.Helper()
	r.run, r.ended = exec.Command(r.program, append([]string{"serve"}, r.names...)...), make(chan struct{})
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
			r.t.Fatalf("qemu-relay: no start: %v: %s", r.run.ProcessState, &r.stderr)
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

// restart kills the relay and starts another one.
func (r *served) restart() {
	r.t.Helper()
	r.down()
	r.ending.Store(true)
	r.run.Process.Kill()
	<-r.ended
	r.start()
}

// end ends it as its service does.
func (r *served) end() {
	r.t.Helper()
	r.down()
	r.ending.Store(true)
	r.run.Process.Signal(os.Interrupt)
	select {
	case <-r.ended:
	case <-time.After(waitLimit):
		r.t.Fatalf("qemu-relay does not end: %s", &r.stderr)
	}
	if !r.run.ProcessState.Success() {
		r.t.Errorf("qemu-relay: %v: %s", r.run.ProcessState, &r.stderr)
	}
}

// await waits until a relay is up, and returns a context that ends with it.
func (r *served) await(ctx context.Context) context.Context {
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

// asking returns an HTTP client of a channel's control socket.
func asking(name string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", channelPath(name, "ctl"))
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: waitLimit}
}

// channelState is what the tests want of GET /status.
type channelState struct {
	Exact       bool
	Boot        int
	Oldest, End int64
	Gaps        []struct {
		Offset, Bytes int64
		Cause         string
	}
}

// ask is GET /status.
func ask(client *http.Client) (state channelState, err error) {
	response, err := client.Get("http://channel/status")
	if err != nil {
		return state, err
	}
	defer response.Body.Close()
	var status struct {
		Consoles []struct{ Relay channelState }
	}
	if err = json.NewDecoder(response.Body).Decode(&status); err == nil && len(status.Consoles) != 1 {
		err = fmt.Errorf("%d consoles", len(status.Consoles))
	}
	if err != nil {
		return state, err
	}
	return status.Consoles[0].Relay, nil
}

// stateOf is the state of a channel whose relay is up.
func stateOf(t *testing.T, name string) channelState {
	t.Helper()
	state, err := ask(asking(name))
	if err != nil {
		t.Fatal(err)
	}
	return state
}
