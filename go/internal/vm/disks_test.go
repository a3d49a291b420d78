package vm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/internal/vmconfig"
)

// A disk of the VM's own is made at the first start, and kept.
func TestOwnDisk(t *testing.T) {
	m := machine(t)
	m.Disks = []vmconfig.Disk{{Name: "data", SizeMiB: 4}}
	path := filepath.Join(os.Getenv("XDG_STATE_HOME"), "microvm", "m", "data.raw")
	for _, want := range []byte{0, 1} {
		v, ended := run(t, m)
		started(t, v)
		stop(t, v, ended)
		if !strings.Contains(v.Command(), "file="+path) {
			t.Errorf("QEMU's command line is %s", v.Command())
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) != 4<<20 || data[0] != want {
			t.Fatalf("%v, %d bytes, the first is %d, want %d", err, len(data), data[0], want)
		}
		data[0]++
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// With a scratch directory, the VM's own disks are new and removed at once, and the others are
// snapshots. A start that fails leaves none either.
func TestScratchDir(t *testing.T) {
	m := machine(t)
	disk := printed(t, "content")
	m.Disks = []vmconfig.Disk{{Name: "data", SizeMiB: 4}, {Name: "other", Path: disk}}
	scratch := t.TempDir()
	v, ended := runWith(t, m, Options{AutoPorts: true, ScratchDir: scratch})
	started(t, v)
	for _, want := range []string{"file=" + scratch + "/data.raw", "snapshot=on,file=" + disk} {
		if !strings.Contains(v.Command(), want) {
			t.Errorf("no %s in QEMU's command line %s", want, v.Command())
		}
	}
	left := func() []os.DirEntry {
		entries, err := os.ReadDir(scratch)
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	await(t, "an empty scratch directory", func() bool { return len(left()) == 0 })
	stop(t, v, ended)
	if _, err := os.Stat(filepath.Join(os.Getenv("XDG_STATE_HOME"), "microvm", "m", "data.raw")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the VM's own disk was made: %v", err)
	}

	m.KernelParams = []string{"fake.exit=1"}
	if err := New(m, Options{AutoPorts: true, ScratchDir: scratch}).Run(t.Context()); err == nil {
		t.Error("QEMU has started")
	}
	if entries := left(); len(entries) > 0 {
		t.Errorf("after a failed start, the scratch directory has %v", entries)
	}
}

// If QEMU does not start, the error names the process that uses one of its disks.
func TestDiskInUse(t *testing.T) {
	path := printed(t, "content")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "1000")
	other.Stdin = file
	err = other.Start()
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	m := machine(t, "fake.exit=1")
	m.Disks = []vmconfig.Disk{{Name: "own", SizeMiB: 4}, {Name: "data", Path: path}}
	err = New(m, Options{AutoPorts: true}).Run(t.Context())
	want := fmt.Sprintf(`QEMU ended with status 1 at its start: disk "data": %s is in use by pid %d, "sleep" (`, path, other.Process.Pid)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
