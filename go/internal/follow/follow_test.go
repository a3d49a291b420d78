package follow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/follow"
	"microvm-console/internal/relay"
	"microvm-console/internal/relayd"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

// hangLimit is when a test gives up.
const hangLimit = 30 * time.Second

// story records the events of a reader as text.
type story struct {
	mu      sync.Mutex
	text    string
	changed chan struct{}
}

func (s *story) handle(e follow.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case follow.Connected:
		s.text += "<connected>"
	case follow.Boot:
		s.text += fmt.Sprintf("<boot %d at %d>", e.Boot.Number, e.Offset)
	case follow.Data:
		s.text += string(e.Data)
	case follow.Gap:
		s.text += fmt.Sprintf("<%d missing>", e.Missing)
	case follow.Lost:
		s.text += "<lost>"
	case follow.Ended:
		s.text += "<ended>"
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// await waits until the text ends with text.
func (s *story) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(hangLimit)
	for {
		s.mu.Lock()
		now, changed := s.text, s.changed
		s.mu.Unlock()
		if strings.HasSuffix(now, text) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%q does not end with %q", now, text)
		}
	}
}

// runChannel runs the relay of the channel "serial" until stop is called.
func runChannel(t *testing.T, dir string) (client ctl.Client, stop func()) {
	t.Helper()
	all := settings.Default()
	all.Directory = dir
	c, err := relayd.Open(relayd.Config{Name: "serial", Settings: all, Log: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return ctl.Client{Path: rundir.OfChannel("serial").Ctl()}, stop
}

// boot begins a boot that prints text.
func boot(t *testing.T, client ctl.Client, text string) {
	t.Helper()
	lock, err := rundir.OfChannel("serial").AcquireVM()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := client.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := relay.VMPath(rundir.OfChannel("serial").Path()) + ".out"
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// dirs sets the folders of the programs for a test.
func dirs(t *testing.T) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "follow") // a short path, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

// A relay ends a connection where bytes are missing. The reader continues, and the connection is not lost.
func TestRunAtAGap(t *testing.T) {
	dir := dirs(t)
	client, stop := runChannel(t, dir)
	boot(t, client, "one two\n")
	stop()
	gap := []byte(`{"offset":4,"bytes":7,"cause":"full"}` + "\n")
	if err := os.WriteFile(filepath.Join(dir, "state/qemu-relay/serial/gaps"), gap, 0o600); err != nil {
		t.Fatal(err)
	}
	runChannel(t, dir)
	target, err := follow.Find(t.Context(), follow.Place{Channel: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	seen := &story{changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- follow.Run(ctx, target, follow.Request{From: "0"}, seen.handle) }()
	seen.await(t, "two\n")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
	if diff := cmp.Diff("<connected><boot 1 at 0>one <7 missing>two\n", seen.text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A reader that stays sees where boots of a channel begin, even while it reads, and
// continues with the next relay. It gets each byte once.
func TestRunAcrossBootsAndRelays(t *testing.T) {
	dir := dirs(t)
	client, stop := runChannel(t, dir)
	boot(t, client, "one\n")
	target, err := follow.Find(t.Context(), follow.Place{Channel: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	seen := &story{changed: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(t.Context())
	errOver := errors.New("over")
	done := make(chan error, 1)
	go func() { done <- follow.Run(ctx, target, follow.Request{From: "start", Stay: true}, seen.handle) }()
	seen.await(t, "one\n")
	boot(t, client, "two\n")
	seen.await(t, "two\n")
	stop()
	seen.await(t, "<ended>")
	client, stop = runChannel(t, dir)
	defer stop()
	boot(t, client, "three\n")
	seen.await(t, "three\n")
	cancel(errOver)
	if err := <-done; !errors.Is(err, errOver) {
		t.Errorf("Run returned %v", err)
	}
	want := "<connected><boot 1 at 0>one\n<boot 2 at 4>two\n<ended><connected><boot 3 at 8>three\n"
	if diff := cmp.Diff(want, seen.text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
