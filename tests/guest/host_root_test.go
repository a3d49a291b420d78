package guest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// hostRoot makes a folder with a kernel that has 9p, and its modules beside it, and puts the
// programs into PATH.
func hostRoot(t *testing.T) (folder string) {
	t.Helper()
	parts := harness.PartsWith9P(t)
	harness.OwnFolders(t)
	harness.Setenv(t, "PATH", filepath.Join(harness.Build(t, "tools"), "bin")+":"+harness.Getenv(t, "PATH"))
	folder = t.TempDir()
	harness.Must(t, folder, "bash", "-euc", `ln -s "$1" bzImage && mkdir lib && ln -s "$2" lib/modules`, "bash", parts.Kernel, parts.Modules)
	return folder
}

// hostRootRun returns a command that runs a program in a guest with the files of the host.
func hostRootRun(t *testing.T, folder string, args ...string) *exec.Cmd {
	t.Helper()
	run := harness.NewCommand(t, "microvm-run", append([]string{"--host-root", "--kernel", "bzImage", "--accel", accelerator()}, args...)...)
	run.Dir = folder
	return run
}

// useHostRoot is what a guest does with the files of the host.
const useHostRoot = `
set -e
test "$PWD" = "$1"
test "$HOST_ROOT_TEST" = 'a  "b" $c'
read -r line
echo lost >lost
echo lost >/tmp/"${PWD##*/}-lost"
rm existing
echo kept >"rw a/kept"
exec 3</dev/fd/0
test -w /dev/shm && test -w "$XDG_RUNTIME_DIR"
orphan=$(sh -c 'sleep 0 & echo $!')
while kill -0 "$orphan" 2>/dev/null; do sleep 0.1; done
echo "$line"
echo error >&2
exit 7`

// TestHostRoot runs a script in a guest with the files of this host. It has the input, output,
// status, environment and directory of a command on the host, and changes only what it may change.
func TestHostRoot(t *testing.T) {
	t.Parallel()
	folder := hostRoot(t)
	harness.Must(t, folder, "bash", "-euc", `mkdir "rw a" && echo content >existing`)
	harness.Setenv(t, "HOST_ROOT_TEST", `a  "b" $c`)
	harness.Setenv(t, "XDG_RUNTIME_DIR", shortRuntimeDir(t))
	run := hostRootRun(t, folder, "--quiet", "--writable", "rw a", "--exec", "--", "sh", "-c", useHostRoot, "sh", folder)
	var stdout, stderr bytes.Buffer
	run.Stdin, run.Stdout, run.Stderr = strings.NewReader("input\n"), &stdout, &stderr
	err := run.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || stdout.String() != "input\n" || stderr.String() != "error\n" {
		t.Errorf("got %v, stdout %q, stderr %q", err, stdout.String(), stderr.String())
	}
	if got := harness.Must(t, folder, "bash", "-euc", `cat existing "rw a/kept"; test ! -e lost; test ! -e /tmp/"${PWD##*/}-lost"`); got != "content\nkept\n" {
		t.Errorf("on the host, the files have %q", got)
	}
}

// shortRuntimeDir returns a new folder below /run, which the guest has for itself.
func shortRuntimeDir(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		return harness.Getenv(t, "XDG_RUNTIME_DIR")
	}
	dir, err := os.MkdirTemp("/run", "microvm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestHostRootPanics checks that a panic is reported with its last lines.
func TestHostRootPanics(t *testing.T) {
	t.Parallel()
	output, err := hostRootRun(t, hostRoot(t), "--exec", "--", "sh", "-c", "echo c >/proc/sysrq-trigger").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(string(output), "Kernel panic - not syncing") {
		t.Errorf("got %v:\n%s", err, output)
	}
}

// meetingTest is a Go test that passes only if the test of the other package runs at the same
// time, in another guest.
const meetingTest = `package PACKAGE

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestMeeting(t *testing.T) {
	first, _ := os.ReadFile("/proc/1/comm")
	if string(first) != "init\n" {
		t.Fatalf("not in a guest: the first process is %s", first)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../meeting/PACKAGE", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := os.Stat("../meeting/OTHER"); err != nil; _, err = os.Stat("../meeting/OTHER") {
		time.Sleep(10 * time.Millisecond)
	}
}
`

// goModule makes a Go module with two packages in a folder.
func goModule(t *testing.T, folder string) {
	t.Helper()
	for _, name := range []string{"GOPATH", "GOCACHE"} {
		harness.Setenv(t, name, strings.TrimSpace(harness.Must(t, harness.Root, "go", "env", name)))
	}
	harness.Must(t, folder, "mkdir", "one", "two", "meeting")
	harness.WriteFile(t, filepath.Join(folder, "go.mod"), "module example.org/meeting\n\ngo 1.26\n")
	for own, other := range map[string]string{"one": "two", "two": "one"} {
		harness.WriteFile(t, filepath.Join(folder, own, "meeting_test.go"), strings.NewReplacer("PACKAGE", own, "OTHER", other).Replace(meetingTest))
	}
}

// TestHostRootGoTests runs the tests of two packages at once, each in a guest of its own.
func TestHostRootGoTests(t *testing.T) {
	t.Parallel()
	folder := hostRoot(t)
	goModule(t, folder)
	start := "microvm-run --host-root --kernel " + folder + "/bzImage --accel " + accelerator() + " --writable " + folder + "/meeting --exec --"
	output := harness.Must(t, folder, "go", "test", "-p", "2", "-count=1", "-timeout", "20m", "-exec", start, "./...")
	if strings.Count("\n"+output, "\nok ") != 2 {
		t.Errorf("the tests have not passed:\n%s", output)
	}
}

// TestHostRootDocument runs the commands of docs/host-root.md in a folder with what they use.
func TestHostRootDocument(t *testing.T) {
	t.Parallel()
	folder := hostRoot(t)
	goModule(t, folder)
	harness.Must(t, folder, "rm", "-r", "one", "two") // they need a writable folder
	harness.Must(t, folder, "mkdir", "pair")
	harness.WriteFile(t, filepath.Join(folder, "pair", "pair_test.go"), "package pair\n\nimport \"testing\"\n\nfunc TestPair(t *testing.T) {}\n")
	harness.WriteFile(t, filepath.Join(folder, "Makefile"), "test:\n\t@echo the tests have passed\n")
	t.Cleanup(func() { // if a block fails before microvm-shutdown
		_, _ = harness.Command(t, folder, "microvm-shutdown", "--all", "--force")
	})
	var output strings.Builder
	for _, block := range harness.BashBlocks(t, "docs/host-root.md") {
		t.Logf("%s", block)
		output.WriteString(harness.Must(t, folder, "bash", "-euo", "pipefail", "-c", block))
	}
	for _, want := range []string{"the tests have passed\n", "ok  \texample.org/meeting/pair", "READY after", folder + "\n"} {
		if !strings.Contains(output.String(), want) {
			t.Errorf("no %q in the output:\n%s", want, output.String())
		}
	}
}
