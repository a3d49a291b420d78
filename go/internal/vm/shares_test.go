package vm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/rundir"
	"microvm-console/internal/testsupport/qemutest"
	"microvm-console/internal/vmconfig"
)

// withVirtiofsd makes PATH begin with a directory in which virtiofsd is this binary.
func withVirtiofsd(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "virtiofsd")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// withShares returns a machine with shares by virtiofs: of the directories, read-only.
func withShares(t *testing.T, dirs ...string) vmconfig.Machine {
	t.Helper()
	withVirtiofsd(t)
	m := machine(t)
	for i, dir := range dirs {
		m.Shares = append(m.Shares, vmconfig.Share{Source: dir, Target: "/" + strconv.Itoa(i), Driver: vmconfig.Virtiofs})
	}
	return m
}

func notes(v *VM) []string {
	var texts []string
	for _, note := range v.Status().Notes {
		texts = append(texts, note.Text)
	}
	return texts
}

func TestVirtiofsdEndsWithTheVM(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	v, ended := run(t, withShares(t, one, two))
	started(t, v)
	var pids []int
	for i, dir := range []string{one, two} {
		d := v.shares.daemons[i]
		pids = append(pids, d.process.PID())
		line, err := os.ReadFile("/proc/" + strconv.Itoa(d.process.PID()) + "/cmdline")
		args := strings.Split(string(line), "\x00")
		if err != nil || !slices.Contains(args, "--shared-dir="+dir) || !slices.Contains(args, "--readonly") {
			t.Errorf("%s: the command line is %q, %v", dir, args, err)
		}
	}
	stop(t, v, ended)
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if got := notes(v); got != nil {
		t.Errorf("notes: %q", got)
	}
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}

func TestVirtiofsdThatEndsIsNoted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, qemutest.VirtiofsdWarns), []byte("too many\x1b files\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, ended := run(t, withShares(t, dir))
	started(t, v)
	if err := unix.Kill(v.shares.daemons[0].process.PID(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`share /0: virtiofsd: too many\x1b files`,
		"share /0: virtiofsd was killed by SIGTERM; the guest cannot use the directory any more (restart the VM)",
	}
	await(t, "notes", func() bool { return slices.Equal(notes(v), want) })
	stop(t, v, ended)
}

func TestVirtiofsdThatFailsIsTheError(t *testing.T) {
	good, bad := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, qemutest.VirtiofsdFails), []byte("cannot do it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, ended := run(t, withShares(t, good, bad))
	err := <-ended
	if want := "share /1: virtiofsd ended with status 1: cannot do it"; err == nil || err.Error() != want {
		t.Errorf("Run: %v, want %q", err, want)
	}
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}

// A share that cannot be served is an error before anything has started.
func TestSharesThatCannotBeServed(t *testing.T) {
	dir := t.TempDir()
	old := "#!/bin/sh\necho --shared-dir\n"
	inQEMU := "#!/bin/sh\necho -o source=PATH\n"
	for _, test := range []struct{ name, virtiofsd, source, want string }{
		{"no source", old, "/nonexistent", "shares[0].source: "},
		{"an old virtiofsd", old, dir, "shares[0]: DIR/virtiofsd: too old for a read-only share"},
		{"that of QEMU", inQEMU, dir, "shares[0]: DIR/virtiofsd: not the virtiofsd in Rust"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := withShares(t, test.source)
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "virtiofsd"), []byte(test.virtiofsd), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			v, ended := run(t, m)
			err := <-ended
			if err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), bin, "DIR"), test.want) {
				t.Errorf("Run: %v, want %q", err, test.want)
			}
			if err := v.Leftovers(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The owner of a VM is killed with SIGKILL: no virtiofsd is left.
func TestVirtiofsdDiesWithItsOwner(t *testing.T) {
	withVirtiofsd(t)
	dir, shared := short(t), t.TempDir()
	self, _ := os.Executable()
	path := filepath.Join(dir, "vm.json")
	text := `{"name": "m", "accel": "tcg", "qemu": "` + self + `", "kernel": "` + qemutest.Kernel(t) + `", "sandbox": false,
		"shares": [{"source": "` + shared + `", "target": "/s", "driver": "virtiofs"}],
		"consoles": [{"name": "serial", "device": "ttyS0", "port": ` + strconv.Itoa(port(t)) + `}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(self)
	owner.Env = append(os.Environ(), "VM_TEST_OWNER="+path, "XDG_RUNTIME_DIR="+dir, "XDG_STATE_HOME="+dir, "XDG_CACHE_HOME="+dir)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	await(t, "virtiofsd", func() bool {
		text, _ := os.ReadFile(filepath.Join(shared, qemutest.VirtiofsdPID))
		pid, _ = strconv.Atoi(string(text))
		return pid != 0
	})
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Error("the owner has ended by itself")
	}
	await(t, "end of virtiofsd", func() bool { return !alive(pid) })
}

// The directory of a share is not written to by a test of the VM.
func TestSharesOfATestAreReadOnly(t *testing.T) {
	yes := false
	m := withShares(t, t.TempDir())
	m.Shares[0].ReadOnly = &yes
	v := New(m, Options{ScratchDir: t.TempDir(), AutoPorts: true})
	ended := make(chan error, 1)
	go func() { ended <- v.Run(t.Context()) }()
	started(t, v)
	line, err := os.ReadFile("/proc/" + strconv.Itoa(v.shares.daemons[0].process.PID()) + "/cmdline")
	if err != nil || !strings.Contains(string(line), "\x00--readonly\x00") {
		t.Errorf("the command line is %q, %v", line, err)
	}
	stop(t, v, ended)
	if _, err := os.Lstat(rundir.Of("m").Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the VM's directory is left: %v", err)
	}
}
