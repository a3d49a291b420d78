// Package programtest runs the transcripts of a program: testscript files in testdata
// (github.com/rogpeppe/go-internal/testscript), with the programs under test and a fake QEMU in
// PATH.
package programtest

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/testsupport/initrdtest"
	"microvm-console/internal/testsupport/qemutest"
)

// Main is the TestMain of a package with transcripts. In them, programs run as processes, and so do
// fake-qemu, and the helpers owner, relays and await, which run VMs and channels.
func Main(m *testing.M, programs ...*cli.App) {
	commands := map[string]func(){}
	for _, program := range programs {
		commands[program.Name] = func() { cmdline.Main(program) }
	}
	MainOf(m, commands)
}

// MainOf is Main for programs that are given by their functions main, by name.
func MainOf(m *testing.M, programs map[string]func()) {
	commands := maps.Clone(programs)
	commands["fake-qemu"] = qemutest.Main
	for _, helper := range []*cli.App{owner(), await(), relays()} {
		commands[helper.Name] = func() { cmdline.Main(helper) }
	}
	testscript.Main(m, commands)
}

// Run runs the transcripts in testdata. In each of them, $PORT0 and $PORT1 are free ports, $PACKAGE is
// the folder of the package, and the file .tmp/hostile.text is the output of a hostile guest. If a transcript has a file bzImage,
// the file gets the header of a kernel; disk.img becomes a boot sector.
func Run(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(limit)
	if given, ok := t.Deadline(); ok && given.Before(deadline) {
		deadline = given
	}
	if program, err := exec.LookPath("microvm-run"); err == nil {
		// For --host-root, which looks for the agent beside itself.
		initrdtest.Write(t, filepath.Join(filepath.Dir(program), "microvm-agent"), initrdtest.Program("agent", false))
	}
	testscript.Run(t, params("testdata", deadline))
}

// limit bounds the transcripts of a program. A transcript that hangs fails by then, at the
// line at which it hangs.
const limit = 5 * time.Minute

// params returns the parameters of the transcripts in dir.
func params(dir string, deadline time.Time) testscript.Params {
	return testscript.Params{
		Dir:      dir,
		Deadline: deadline,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			folder, err := os.Getwd() // go test runs in it
			env.Setenv("PACKAGE", folder)
			env.Defer(func() { killOwners(env.WorkDir) })
			return errors.Join(err, setPorts(env),
				makeMagic(filepath.Join(env.WorkDir, "bzImage"), 0x202, "HdrS"),
				makeMagic(filepath.Join(env.WorkDir, "disk.img"), 510, "\x55\xaa"),
				os.WriteFile(filepath.Join(env.WorkDir, ".tmp", "hostile.text"), []byte(hostile), 0o600))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand": expand, "status": status, "plain": plain,
		},
	}
}

// killOwners ends the VMs that run in the folder of a transcript: a failed one may leave a VM
// in the background.
func killOwners(dir string) {
	locks, _ := filepath.Glob(filepath.Join(dir, "microvm", "*", "lock")) // the pattern is valid
	for _, lock := range locks {
		text, _ := os.ReadFile(lock) // it may end meanwhile
		var pid int
		if n, _ := fmt.Sscan(string(text), &pid); n != 1 {
			continue
		}
		if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && cwd == dir {
			_ = unix.Kill(pid, unix.SIGKILL) // QEMU ends with it
		}
	}
}

// hostile is the output of a guest that attacks the user's terminal by the lines that programs print:
// killed processes, and a panic.
const hostile = "[    0.1] Linux version 6.1 \x1b]0;title\a\r\n" +
	"Out of memory: Killed process 7 (\x1b]52;c;ZXZpbA==\a) total-vm:1kB\r\n" +
	"Out of memory: Killed process 8 (\u009b2J\u202e) total-vm:1kB\r\n" +
	"\r\ndemo login: \r\n" +
	"Kernel panic - not syncing: \x1b]52;c;ZXZpbA==\a\u009b2J\u202e\xff\r\n"

// plain is the command `plain FILE...`. It fails unless the files consist of lines of printable
// characters and are not empty.
func plain(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		text := strings.NewReplacer("\r\n", "", "\n", "").Replace(ts.ReadFile(file))
		if text == "" {
			ts.Fatalf("%s is empty", file)
		}
		if got := plaintext.Line(text); got != text {
			ts.Fatalf("%s has other characters: %q", file, text)
		}
	}
}

// makeMagic writes text at a position of the file, if it exists.
func makeMagic(path string, at int64, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = file.WriteAt([]byte(text), at)
	}
	return errors.Join(err, file.Close())
}

// setPorts sets PORT0 and PORT1 to free ports.
func setPorts(env *testscript.Env) error {
	for i := range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close() // at the end, so that the ports differ
		env.Setenv(fmt.Sprintf("PORT%d", i), strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return nil
}

// status is the command `status N PROGRAM ARGUMENTS...`. It runs the program, and fails unless its
// exit status is N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// expand is the command `expand FILE...`. It replaces the variables in the files by their values.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		text := os.Expand(ts.ReadFile(file), func(name string) string { return ts.Getenv(name) })
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(strings.TrimLeft(text, "\n")), 0o600))
	}
}
