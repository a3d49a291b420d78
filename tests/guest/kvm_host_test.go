package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// kvmTests has the tests that need a working KVM, and what each of them shows.
var kvmTests = []struct{ shows, name string }{
	{"the probe chooses KVM, q35", "TestInsideKVMProbe/q35"},
	{"the probe chooses KVM, microvm", "TestInsideKVMProbe/microvm"},
	{"a kernel that KVM does not start is emulated", "TestInsideKVMFallback"},
	{"an ordinary user without permission", "TestInsideKVMPermission"},
	{"run-test, q35", "TestInsideKVMRunTest/q35"},
	{"run-test, microvm", "TestInsideKVMRunTest/microvm"},
	{"numbered lines on both consoles at once", "TestExact"},
	{"microvm-run --exec", "TestRunExec"},
	{"microvm-exec", "TestExec"},
	{"a panic has status 4, q35", "TestInsideKVMPanic/q35"},
	{"a panic has status 4, microvm", "TestInsideKVMPanic/microvm"},
	{"the stop chain", "TestStopChain"},
	{"the guest agent, q35", "TestGuestAgent/q35"},
	{"the guest agent, microvm", "TestGuestAgent/microvm"},
	{"a terminal and its size", "TestTerminal"},
}

// TestKVM tests KVM on any host: QEMU emulates a processor with AMD's virtualization, Linux on
// it has a /dev/kvm, and tests of this package run there. They do not measure speed.
func TestKVM(t *testing.T) {
	if !*harness.KVM {
		harness.Skip(t, "kvm-host", "emulating it takes minutes (scripts/test --kvm does)")
	}
	harness.OwnFolders(t)
	host := startKVMHost(t)
	for _, test := range kvmTests {
		t.Run(test.shows, func(t *testing.T) { host.test(t, test.name) })
	}
}

// kvmHost is a machine in which KVM works, with a Debian that has our programs.
type kvmHost struct {
	exec  string // microvm-exec for this machine
	built string // the value of harness.OutputsVariable
}

// kvmPackages are the packages of the Debian in the machine.
var kvmPackages = []string{"binutils", "curl", "netcat-openbsd", "qemu-system-x86", "socat", "tmux"}

// kvmMount is a shell script that mounts the Debian in the machine on /disk.
const kvmMount = `
	set -e
	mkdir /disk
	mount -t ext4 /dev/vda /disk
	for folder in dev proc sys; do mount -o rbind /$folder /disk/$folder; done
	ip link set lo up
	test -c /disk/dev/kvm
	uname -r
	chroot /disk qemu-system-x86_64 --version
`

// startKVMHost starts the machine, which ends with the test.
func startKVMHost(t *testing.T) kvmHost {
	t.Helper()
	machine := harness.Build(t, "kvm-host")
	demo, tools := harness.Build(t, "kvm-guest"), harness.Build(t, "tools")
	disk := kvmDisk(t, demo, tools)
	config := harness.ChangedVM(t, machine, func(machine map[string]any) {
		drive := []any{"-drive", "if=virtio,format=raw,cache=unsafe,file=" + disk}
		machine["qemuArgs"] = append(machine["qemuArgs"].([]any), drive...)
	})
	harness.Start(t, filepath.Join(machine, "bin", "microvm-run"), "--config", config, "--auto-ports").Expect(`READY after`, 1)
	host := kvmHost{filepath.Join(machine, "bin", "microvm-exec"), "console-demo=" + demo + " tools=" + tools}
	t.Logf("KVM works in the machine:\n%s", harness.Must(t, harness.Root, host.exec, "--", "sh", "-c", kvmMount))
	return host
}

// kvmDisk makes a disk image with a Debian, these tests, and store paths. It returns its path.
func kvmDisk(t *testing.T, paths ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("only root can make a Debian root (run scripts/test --kvm as root)")
	}
	dir := t.TempDir()
	harness.Setenv(t, "CGO_ENABLED", "0") // the C library in the image may be older than the host's
	harness.Must(t, ".", "go", "test", "-c", "-o", filepath.Join(dir, "tests"), ".")
	const script = `
		dir=$1
		packed=$(scripts/debian-root bookworm $2)
		shift 2
		mkdir -p "$dir/root"
		cd "$dir/root"
		tar -xf "$packed"
		mkdir -p nix/store checkout/tests/guest
		nix-store --query --requisites "$@" | xargs cp -a -t nix/store
		mv ../tests checkout/tests/guest
		mebibytes=$(du -sm . | cut -f 1)
		mkfs.ext4 -q -d . ../disk "$((mebibytes + 2048))M"
		rm -rf "$dir/root"
	`
	words := append([]string{"-euo", "pipefail", "-c", script, "disk", dir, strings.Join(kvmPackages, " ")}, paths...)
	harness.Must(t, harness.Root, "bash", words...)
	return filepath.Join(dir, "disk")
}

// test runs one of this package's tests in the machine.
func (h kvmHost) test(t *testing.T, name string) {
	t.Helper()
	pattern := "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	output, err := harness.Command(t, harness.Root, h.exec, "--timeout", "28m", "--",
		"chroot", "/disk", "/usr/bin/env", "-i", "--chdir=/checkout/tests/guest",
		"HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux", "NIX_FLAGS=", "CI="+os.Getenv("CI"), harness.OutputsVariable+"="+h.built,
		"./tests", "-test.v", "-test.parallel=1", "-test.timeout=25m", "-test.run", pattern, "-lines", "2000")
	t.Logf("inside:\n%s", output)
	switch {
	case err != nil:
		t.Error(err)
	case !strings.Contains(output, "--- PASS: "+name+" ") || strings.Contains(output, "--- SKIP: "):
		t.Error("the test was not run inside, or skipped") // go test passes if no test matches
	}
}

// accelerator returns the --accel for guests whose kernel the probe of KVM does not recognize.
func accelerator() string {
	if harness.InsideKVM() {
		return "kvm"
	}
	return "tcg"
}

// onlyInsideKVM skips a test that needs a working KVM, unless it runs in a kvmHost.
func onlyInsideKVM(t *testing.T) {
	t.Helper()
	if !harness.InsideKVM() {
		harness.Skip(t, "kvm-host", "TestKVM runs it there")
	}
}
