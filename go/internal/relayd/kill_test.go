package relayd

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
	"microvm-console/internal/testsupport/numbered"
)

// Relays are killed at any moment while numbered lines come at full speed, with clients:
// none is missing in the journal, none repeated, and a client that stays attached gets the
// whole of it or is cut off.
func TestKilledRelayLosesNothing(t *testing.T) {
	const lines, kills = 1_500_000, 20
	directory := place(t)
	dir := rundir.OfChannel("serial")
	start := func() *exec.Cmd { return startRelay(t, directory) }
	command := start()
	// The machine is a process of its own, and no parent of the relay's.
	qemu := exec.Command("bash", "-c", `exec 3<>"$1"; cat >&3; read <&4`, "-", relay.VMPath(dir.Path())+".out")
	print, err := qemu.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	hold, release, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	qemu.ExtraFiles = []*os.File{nil, hold}
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	hold.Close()
	fed := make(chan error, 1)
	go func() {
		defer print.Close()
		fed <- numbered.Write(print, 0, lines)
	}()
	for range kills {
		conn, err := net.Dial("unix", rundir.PublicOf(directory, "serial").Socket)
		if err != nil {
			t.Fatal(err)
		}
		var checker numbered.Checker
		if _, err := io.CopyN(&checker, conn, 100_000); err != nil {
			t.Errorf("a client: %v", err)
		}
		end(command)
		conn.Close()
		command = start()
	}
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	release.Close()
	qemu.Wait()
	await(t, "the relay does not drain", func() bool { return size(t) == length(lines) })
	end(command)
	whole(t, lines)
}

// startRelay starts a relay in a process of its own, and waits until it answers.
func startRelay(t *testing.T, directory string) *exec.Cmd {
	t.Helper()
	self, _ := os.Executable()
	command := exec.Command(self)
	command.Env = append(os.Environ(), "CHANNEL_TEST_RELAY="+directory)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the relay does not answer", func() bool {
		_, err := ctl.Client{Path: rundir.OfChannel("serial").Ctl()}.Status(t.Context())
		return err == nil
	})
	return command
}

// end kills a relay.
func end(command *exec.Cmd) {
	_ = command.Process.Kill()
	_ = command.Wait()
}

// A relay that is started again and again beside a QEMU that is its parent, or the parent's
// launcher, goes on with that QEMU's boot: no boot is marked that would push out its
// first lines.
func TestRestartsBesideItsParent(t *testing.T) {
	const restarts = 14
	t.Setenv("NOTIFY_SOCKET", "/none") // a service that starts a relay and a QEMU
	t.Setenv("SYSTEMD_EXEC_PID", strconv.Itoa(os.Getpid()))
	directory := place(t)
	command := startRelay(t, directory)
	qemu := machine(t) // of this process, which is the parent
	for i := range restarts {
		if err := numbered.Write(qemu, 2*i, 2*i+1); err != nil {
			t.Fatal(err)
		}
		await(t, "the line is not kept", func() bool { return size(t) == length(2*i+1) })
		end(command)
		if err := numbered.Write(qemu, 2*i+1, 2*i+2); err != nil {
			t.Fatal(err)
		}
		command = startRelay(t, directory)
		await(t, "the line between two relays is not kept", func() bool { return size(t) == length(2*i+2) })
	}
	status, err := ctl.Client{Path: rundir.OfChannel("serial").Ctl()}.Status(t.Context())
	end(command)
	if err != nil || status.Consoles[0].Relay.Boot > 1 {
		t.Errorf("%+v, %v", status, err)
	}
	whole(t, 2*restarts)
}

// The link to the terminal of a service that was killed leads nowhere once its manager has
// removed the service's folder: the host gives the terminal's name to another one.
func TestLinkToATerminalThatHasGone(t *testing.T) {
	directory, folder := place(t), t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", folder)
	public := rundir.PublicOf(directory, "serial").PTY
	isTerminal := func() bool {
		info, err := os.Stat(public)
		return err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	command := startRelay(t, directory)
	if !isTerminal() {
		t.Errorf("%s leads to no terminal", public)
	}
	end(command)
	if err := errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700)); err != nil { // as the manager does
		t.Fatal(err)
	}
	if _, err := os.Stat(public); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link that a relay has left: %v", err)
	}
	service, stop := run(t, Config{Name: "serial", Settings: in(directory)})
	if !isTerminal() {
		t.Errorf("%s leads to no terminal again", public)
	}
	if err := os.Remove(filepath.Join(folder, "serial.pty")); err != nil {
		t.Fatal(err)
	}
	if missing := service.Status().Consoles[0].Missing; len(missing) != 1 || missing[0] != public {
		t.Errorf("missing: %q", missing)
	}
	_ = os.Remove(public) // which is noticed at once
	await(t, "the link is not made again", isTerminal)
	stop()
	if left, err := os.ReadDir(folder); len(left) > 0 || err != nil {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	if _, err := os.Lstat(public); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

// size returns how many bytes are in the journal.
func size(t *testing.T) int64 {
	t.Helper()
	dir, err := rundir.OfChannel("serial").Journal()
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		return 0
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		return 0
	}
	return boot.End
}

// length returns how many bytes the lines up to, not including, lines have.
func length(lines int) int64 {
	var bytes int64
	for n := range lines {
		bytes += int64(len("line \n") + len(strconv.Itoa(n)))
	}
	return bytes
}

// whole wants the journal to hold just the lines up to, not including, lines.
func whole(t *testing.T, lines int) {
	t.Helper()
	dir, err := rundir.OfChannel("serial").Journal()
	if err != nil {
		t.Fatal(err)
	}
	var checker numbered.Checker
	snapshot, err := journal.TakeSnapshot(dir)
	if err == nil {
		err = snapshot.Copy(&checker, 0, 1<<40)
	}
	if err = errors.Join(err, checker.Whole(lines)); err != nil {
		t.Error(err)
	}
}

// What a machine that has ended left in the FIFO outlives the relay too if its descriptors
// are kept; so do the endpoints that clients connect to.
func TestKeptDescriptors(t *testing.T) {
	directory := place(t)
	kept := map[string]*os.File{}
	copyOf := func(file *os.File) *os.File {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(fd), file.Name())
	}
	store := func() FDStore {
		taken := map[string]*os.File{}
		for name, file := range kept {
			taken[name] = copyOf(file)
		}
		return FDStore{Kept: taken, Keep: func(name string, file *os.File) error {
			if kept[name] != nil {
				t.Errorf("%s is kept twice", name)
			}
			kept[name] = copyOf(file)
			return nil
		}, Forget: func(name string) error {
			kept[name].Close()
			delete(kept, name)
			return nil
		}}
	}
	all := in(directory)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	all.Channels["serial"] = settings.Channel{Enable: true, Input: true, TCP: listener.Addr().(*net.TCPAddr).Port}
	listener.Close()
	first, err := Open(Config{Name: "serial", Settings: all, Store: store()})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(machine(t), "line 0\n") // and the machine ends
	socket := rundir.PublicOf(directory, "serial").Socket
	// A crash: nothing is removed, all descriptors go.
	moved := socket + ".kept"
	if err := os.Rename(socket, moved); err != nil {
		t.Fatal(err)
	}
	first.Abandon()
	if err := os.Rename(moved, socket); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatalf("nobody listens between two relays: %v", err)
	}
	defer waiting.Close()
	_, stop := run(t, Config{Name: "serial", Settings: all, Store: store()})
	got := make([]byte, len("line 0\n"))
	if _, err := io.ReadFull(waiting, got); err != nil || string(got) != "line 0\n" {
		t.Errorf("got %q, %v", got, err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(all.Channels["serial"].TCP))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	stop()
	if kept["serial.sock"] != nil || kept["serial.vm.out"] == nil {
		t.Errorf("kept after the end: %v", kept)
	}
}
