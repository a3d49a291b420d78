package ctl_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// runtimeDir gives the test its own runtime folder.
func runtimeDir(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(socket(t)))
}

// own locks the machine called name, as its owner does.
func own(t *testing.T, name string) rundir.Machine {
	t.Helper()
	m := rundir.Of(name)
	lock, err := m.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Release() })
	return m
}

// start owns the machine called name and serves its control socket.
func start(t *testing.T, name string) {
	t.Helper()
	m := own(t, name)
	serve(t, m.Ctl(), server.Handlers{Status: func() state.Machine { return state.Machine{Name: name} }})
}

func TestFind(t *testing.T) {
	tests := []struct {
		name    string
		running []string
		ask     string
		want    string
		err     error
		text    string
	}{
		{"by name", []string{"a", "b"}, "b", "b", nil, ""},
		{"the only one", []string{"a"}, "", "a", nil, ""},
		{"one of several", []string{"b", "a"}, "", "", ctl.ErrSeveral, "several VMs are running: a, b (pick one with --name)"},
		{"another than runs", []string{"a"}, "b", "", ctl.ErrNotRunning, `vm "b": not running (start it with microvm-run)`},
		{"a misspelt one", []string{"alpha"}, "alhpa", "", ctl.ErrNotRunning, `vm "alhpa": not running (did you mean alpha?)`},
		{"one whose name another one extends", []string{"demo-test-1"}, "demo", "", ctl.ErrNotRunning, `vm "demo": not running (start it with microvm-run)`},
		{"none", nil, "", "", ctl.ErrNotRunning, "no VM is running (start one with microvm-run)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			runtimeDir(t)
			for _, name := range test.running {
				start(t, name)
			}
			synctest.Test(t, func(t *testing.T) { // the wait for a start takes no time
				client, status, err := ctl.Find(t.Context(), test.ask)
				if !errors.Is(err, test.err) || (err != nil && err.Error() != test.text) {
					t.Fatalf("got %v, want %s", err, test.text)
				}
				if status.Name != test.want {
					t.Errorf("found %q, want %q", status.Name, test.want)
				}
				if err == nil && client.Path != rundir.Of(test.want).Ctl() {
					t.Errorf("the client is that of %s", client.Path)
				}
			})
		})
	}
}

// In TestFindWaits the owner of a machine, and then its control socket, appear while Find
// waits.
func TestFindWaits(t *testing.T) {
	tests := []struct {
		name         string
		owner, serve time.Duration
		found        bool
	}{
		{"for a start under way", 0, 4 * time.Second, true},
		{"for a start that is about to begin", 900 * time.Millisecond, 3 * time.Second, true},
		{"no longer than a start may take", 0, 6 * time.Second, false},
		{"no longer than a shell takes to start a program", 2 * time.Second, 2 * time.Second, false},
	}
	for _, test := range tests {
		for _, ask := range []string{"m", ""} {
			t.Run(test.name+", asked for "+strconv.Quote(ask), func(t *testing.T) {
				runtimeDir(t)
				after := outside(t)
				owned := func() { own(t, "m") }
				served := func() {
					serve(t, rundir.Of("m").Ctl(), server.Handlers{Status: func() state.Machine { return status }})
				}
				synctest.Test(t, func(t *testing.T) {
					after(test.owner, owned)
					after(test.serve+1, served)
					_, _, err := ctl.Find(t.Context(), ask)
					if found := err == nil; found != test.found {
						t.Error(err)
					}
					time.Sleep(time.Minute) // until both functions were called
				})
			})
		}
	}
}

// outside returns a function that calls another one after a time of the bubble, but outside
// of the bubble: inside, time stops while a goroutine waits for a socket.
func outside(t *testing.T) (after func(time.Duration, func())) {
	todo, done := make(chan func()), make(chan struct{})
	go func() {
		for f := range todo {
			f()
			done <- struct{}{}
		}
	}()
	t.Cleanup(func() { close(todo) })
	return func(d time.Duration, f func()) {
		time.AfterFunc(d, func() {
			todo <- f
			<-done
		})
	}
}

func TestFindEndsWithItsContext(t *testing.T) {
	runtimeDir(t)
	cause := errors.New("canceled")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, _, err := ctl.Find(ctx, "m"); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// Find does not follow a link that another user may have planted.
func TestFindRefusesSymlinks(t *testing.T) {
	runtimeDir(t)
	start(t, "m")
	theirs := rundir.Base()
	runtimeDir(t)
	if err := os.Symlink(theirs, rundir.Base()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m", ""} {
		if _, _, err := ctl.Find(t.Context(), name); err == nil || !strings.Contains(err.Error(), rundir.Base()+": is a symbolic link") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
