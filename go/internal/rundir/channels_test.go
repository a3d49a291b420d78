package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRunningChannels(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	running := func() []string {
		t.Helper()
		channels, err := RunningChannels()
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, channel := range channels {
			names = append(names, channel.Name())
		}
		return names
	}
	if diff := cmp.Diff([]string{}, running()); diff != "" {
		t.Error("no folder:", diff)
	}
	for _, name := range []string{"serial", "com2", "ended"} {
		lock, err := OfChannel(name).Acquire()
		if err != nil {
			t.Fatal(err)
		}
		if name == "ended" {
			lock.Close()
		}
		defer lock.Close()
	}
	vm, err := OfChannel("monitor").AcquireVM() // a VM without a relay
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "qemu-relay", "stray"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	if diff := cmp.Diff([]string{"com2", "serial"}, running()); diff != "" {
		t.Error(diff)
	}
}
