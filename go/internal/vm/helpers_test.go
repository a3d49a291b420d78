package vm

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/testsupport/qemutest"
	"microvm-console/internal/vmconfig"
)

const (
	bootText  = "[    0.000000] Linux version 6.1\r\n[    1.0] booting\r\n"
	panicText = "[    1.753817] Kernel panic - not syncing: no root\r\n[    1.8] Call Trace:\r\n[    1.9]  panic+0x1\r\n"
	deadText  = panicText + "[    2.0] ---[ end Kernel panic - not syncing: no root ]---\r\n"
)

const loginText = "\r\ndemo login: "

// The test binary also acts as QEMU, as virtiofsd and as the owner of a VM.
func TestMain(m *testing.M) {
	switch {
	case qemutest.Called():
		qemutest.Main()
	case qemutest.CalledAsVirtiofsd():
		qemutest.Virtiofsd()
	case os.Getenv("VM_TEST_OWNER") != "":
		machine, err := vmconfig.Load(os.Getenv("VM_TEST_OWNER"))
		if err == nil {
			err = New(machine, Options{AutoPorts: true}).Run(context.Background())
		}
		panic(err)
	}
	os.Exit(m.Run())
}

// hangLimit bounds the waits of the tests.
const hangLimit = 60 * time.Second

// machine returns a valid machine with the fake QEMU, which behaves as words say (package
// qemutest).
func machine(t *testing.T, words ...string) vmconfig.Machine {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", short(t))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the fake QEMU is this binary, and ends often
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return vmconfig.Machine{
		Name: "m", Type: "q35", Accel: "tcg", QEMU: self, MemoryMiB: 64, VCPUs: 1,
		Kernel: self, KernelParams: words,
		Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0", Port: port(t)}, {Name: "console", Device: "hvc0", Port: port(t)}},
	}
}

// short returns a directory whose path is short enough for sockets in it.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// port returns a free port.
func port(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// printed returns the path of a file with text.
func printed(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a machine in the background and returns the channel of Run's error. The test does not
// end before the VM.
func run(t *testing.T, m vmconfig.Machine) (*VM, <-chan error) {
	t.Helper()
	return runWith(t, m, Options{AutoPorts: true})
}

func runWith(t *testing.T, m vmconfig.Machine, options Options) (*VM, <-chan error) {
	t.Helper()
	v := New(m, options)
	ended := make(chan error, 1)
	go func() { ended <- v.Run(t.Context()) }()
	t.Cleanup(func() { within(t, v.Finished(), "end of Run") })
	return v, ended
}

func within(t *testing.T, event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(hangLimit):
		t.Fatalf("no %s within %v", what, hangLimit)
	}
}

// started waits until the VM runs.
func started(t *testing.T, v *VM) {
	t.Helper()
	select {
	case <-v.Ready():
	case <-v.Finished():
		t.Fatal("the VM has ended before it ran")
	case <-time.After(hangLimit):
		t.Fatalf("no start within %v", hangLimit)
	}
}

// ready waits until the guest is ready, for hangLimit at most.
func ready(t *testing.T, v *VM) error {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), hangLimit)
	defer cancel()
	return v.AwaitReady(limit)
}

// stop ends a VM, which must not have failed.
func stop(t *testing.T, v *VM, ended <-chan error) {
	t.Helper()
	if _, err := v.Stop(t.Context(), ctl.StopRequest{Force: true}); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// await waits until holds returns true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangLimit); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, hangLimit)
		}
	}
}

// alive reports whether a process runs. A zombie does not run.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
