package main

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"microvm-console/internal/ctl/server"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/unixsock"
)

// If one VM does not answer, the others are printed. One that has just ended is left out.
func TestOneDoesNotAnswer(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	vm := rundir.Of("stopped")
	lock, err := vm.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	defer listen(t, vm.Ctl()).Close()
	channel := rundir.OfChannel("serial")
	file, err := channel.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	serving, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	answer := state.Machine{Name: "serial", Consoles: []state.Console{{Relay: &state.Relay{}}}}
	go func() {
		served <- server.Serve(serving, listen(t, channel.Ctl()), server.Handlers{Status: func() state.Machine { return answer }})
	}()
	limited, cancel := context.WithTimeoutCause(t.Context(), time.Second, errNoAnswer)
	defer cancel()
	all, err := askAll(limited, []string{"ended", "stopped"}, []string{"serial"})
	if len(all.VMs) != 0 || len(all.Channels) != 1 || all.Channels[0].Name != "serial" {
		t.Errorf("found %+v", all)
	}
	if !errors.Is(err, errNoAnswer) {
		t.Errorf("the error is %v, want %v", err, errNoAnswer)
	}
	end()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := unixsock.Listen(path)
	if err != nil {
		t.Error(err)
	}
	return l
}
