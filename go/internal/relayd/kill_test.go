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

// When relays are killed at random moments while numbered lines arrive at full speed and
// clients are connected, no line is missing or repeated in the journal, and each client
// reads without a gap until its relay is killed.
func TestKilledRelayLosesNothing(t *testing.T) {
	const lines, kills = 1_500_000, 20
	directory := testFolders(t)
	dir := rundir.OfChannel("serial")
	start := func() *exec.Cmd { return startRelay(t, directory) }
	command := start()
	// QEMU is a separate process, and not a parent of the relay.
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
			t.Errorf("a client got %v", err)
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
	await(t, "the relay to drain", func() bool { return size(t) == length(lines) })
	end(command)
	whole(t, lines)
}

// startRelay starts a relay in another process and waits until it responds.
func startRelay(t *testing.T, directory string) *exec.Cmd {
	t.Helper()
	self, _ := os.Executable()
	command := exec.Command(self)
	command.Env = append(os.Environ(), "CHANNEL_TEST_RELAY="+directory)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the relay to respond", func() bool {
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

// A relay that is restarted repeatedly, while its parent is the QEMU or the QEMU's
// launcher, continues the boot of that QEMU. No further boot begins, which would drop the
// first lines.
func TestRestartsWithQEMUAsParent(t *testing.T) {
	const restarts = 14
	t.Setenv("NOTIFY_SOCKET", "/none") // like a service that starts a relay and a QEMU
	t.Setenv("SYSTEMD_EXEC_PID", strconv.Itoa(os.Getpid()))
	directory := testFolders(t)
	command := startRelay(t, directory)
	qemu := machine(t) // opened by this process, which is the parent
	for i := range restarts {
		if err := numbered.Write(qemu, 2*i, 2*i+1); err != nil {
			t.Fatal(err)
		}
		await(t, "the line in the journal", func() bool { return size(t) == length(2*i+1) })
		end(command)
		if err := numbered.Write(qemu, 2*i+1, 2*i+2); err != nil {
			t.Fatal(err)
		}
		command = startRelay(t, directory)
		await(t, "the line printed between two relays", func() bool { return size(t) == length(2*i+2) })
	}
	status, err := ctl.Client{Path: rundir.OfChannel("serial").Ctl()}.Status(t.Context())
	end(command)
	if err != nil || status.Consoles[0].Relay.Boot > 1 {
		t.Errorf("%+v, %v", status, err)
	}
	whole(t, 2*restarts)
}

// After a service was killed and its manager has removed the runtime folder, the link
// does not lead to a terminal, whose name the kernel may have reused.
func TestLinkToTerminalOfAKilledService(t *testing.T) {
	directory, folder := testFolders(t), t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", folder)
	public := rundir.PublicOf(directory, "serial").PTY
	isTerminal := func() bool {
		info, err := os.Stat(public)
		return err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	command := startRelay(t, directory)
	if !isTerminal() {
		t.Errorf("%s does not lead to a terminal", public)
	}
	end(command)
	if err := errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700)); err != nil { // like the service manager
		t.Fatal(err)
	}
	if _, err := os.Stat(public); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link of the killed relay: %v", err)
	}
	service, stop := run(t, Config{Name: "serial", Settings: in(directory)})
	if !isTerminal() {
		t.Errorf("%s does not lead to a terminal after the restart", public)
	}
	if err := os.Remove(filepath.Join(folder, "serial.pty")); err != nil {
		t.Fatal(err)
	}
	if missing := service.Status().Consoles[0].Missing; len(missing) != 1 || missing[0] != public {
		t.Errorf("missing: %q", missing)
	}
	_ = os.Remove(public) // noticed immediately
	await(t, "the link to be recreated", isTerminal)
	stop()
	if left, err := os.ReadDir(folder); len(left) > 0 || err != nil {
		t.Errorf("files left in the folder: %v, %v", left, err)
	}
	if _, err := os.Lstat(public); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link was not removed: %v", err)
	}
}

// size returns the number of bytes in the journal.
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

// length returns the size of the first lines of the numbered stream.
func length(lines int) int64 {
	var bytes int64
	for n := range lines {
		bytes += int64(len("line \n") + len(strconv.Itoa(n)))
	}
	return bytes
}

// whole checks that the journal holds exactly the first lines of the numbered stream.
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

// If descriptors are kept, the output that an ended QEMU has left in the FIFO survives
// the relay, and so do the endpoints that clients connect to.
func TestKeptDescriptors(t *testing.T) {
	directory := testFolders(t)
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
	_, _ = io.WriteString(machine(t), "line 0\n") // and QEMU ends
	socket := rundir.PublicOf(directory, "serial").Socket
	// Simulate a crash: all descriptors are closed, no file is removed.
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
		t.Fatalf("no listener between two relays: %v", err)
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
		t.Errorf("kept after the relay has ended: %v", kept)
	}
}
