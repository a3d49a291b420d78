package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
	"microvm-console/internal/numbered"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

// hangLimit is when a test gives up on what should have come.
const hangLimit = time.Minute

// The test binary is a relay to be killed when it is started as one.
func TestMain(m *testing.M) {
	if directory := os.Getenv("CHANNEL_TEST_RELAY"); directory != "" {
		c, err := Open(Config{Name: "serial", Settings: in(directory)})
		if err == nil {
			err = c.Run(context.Background())
		}
		panic(err)
	}
	os.Exit(m.Run())
}

// in are settings whose endpoints are in directory; all is kept.
func in(directory string) settings.Settings {
	all := settings.Default()
	all.Directory, all.RetentionMiB, all.Boots = directory, 1<<20, 1000
	return all
}

// place gives the test folders of its own, short enough for sockets, and returns
// that of the endpoints.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "channel")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

// run runs a channel until the test, or the returned function, ends it.
func run(t *testing.T, config Config) (c *Channel, stop func()) {
	t.Helper()
	c, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = func() {
		cancel()
		select {
		case err := <-done:
			done <- nil // for the next call
			if err != nil {
				t.Error(err)
			}
		case <-time.After(hangLimit):
			t.Error("Run does not end")
		}
	}
	t.Cleanup(stop)
	return c, stop
}

func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangLimit); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// machine opens the VM side as QEMU does.
func machine(t *testing.T) *os.File {
	t.Helper()
	path := relay.VMPath(rundir.OfChannel("serial").Path()) + ".out"
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// Relays are killed at any moment while numbered lines come at full speed, with
// clients: none is missing in the journal, none repeated, and a client that stays
// attached gets the whole of it or is cut off.
func TestKilledRelayLosesNothing(t *testing.T) {
	const lines, kills = 1_500_000, 20
	directory := place(t)
	dir := rundir.OfChannel("serial")
	start := func() *exec.Cmd {
		self, _ := os.Executable()
		command := exec.Command(self)
		command.Env = append(os.Environ(), "CHANNEL_TEST_RELAY="+directory)
		command.Stderr = os.Stderr
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, "the relay does not answer", func() bool {
			_, err := ctl.Client{Path: dir.Ctl()}.Status(t.Context())
			return err == nil
		})
		return command
	}
	end := func(command *exec.Cmd) {
		command.Process.Kill()
		command.Wait()
	}
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

// size is how many bytes are in the journal.
func size(t *testing.T) int64 {
	t.Helper()
	dir, err := rundir.OfChannel("serial").Journal()
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.Look(dir)
	if err != nil {
		return 0
	}
	_, end, err := snapshot.BootRange(0)
	if err != nil {
		return 0
	}
	return end
}

// length is how many bytes the lines up to, not including, lines have.
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
	snapshot, err := journal.Look(dir)
	if err == nil {
		err = snapshot.Copy(&checker, 0, 1<<40)
	}
	if err = errors.Join(err, checker.Whole(lines)); err != nil {
		t.Error(err)
	}
}

// What a machine that has ended left in the FIFO outlives the relay too where
// somebody keeps the descriptors; so do the endpoints that one connects to.
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
	keeper := func() Keeper {
		taken := map[string]*os.File{}
		for name, file := range kept {
			taken[name] = copyOf(file)
		}
		return Keeper{Kept: taken, Keep: func(name string, file *os.File) error {
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
	first, err := Open(Config{Name: "serial", Settings: all, Keeper: keeper()})
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
	_, stop := run(t, Config{Name: "serial", Settings: all, Keeper: keeper()})
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

func TestSeat(t *testing.T) {
	directory := place(t)
	config := Config{Name: "serial", Settings: in(directory)}
	service, stop := run(t, config)
	attached := func(want bool) func() bool {
		return func() bool { return service.Status().Consoles[0].Relay.Attached == want }
	}
	if _, err := service.Boot(); err == nil || !strings.Contains(err.Error(), "nobody holds the seat") {
		t.Errorf("a boot without a seat: %v", err)
	}
	seat, err := Sit(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if seat.Carried() || seat.Boot != 1 || seat.Relay.PID != os.Getpid() {
		t.Errorf("%+v", seat)
	}
	await(t, "the seat is not seen", attached(true))
	if _, err := Sit(t.Context(), config); !errors.Is(err, rundir.ErrSeatTaken) {
		t.Errorf("a second VM: %v", err)
	}
	// A QEMU inherits the seat: it is free when that has gone, not before.
	qemu := exec.Command("bash", "-c", "echo; read")
	qemu.ExtraFiles = []*os.File{seat.Lock()}
	in, err := qemu.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	orders, quiet := context.WithCancel(t.Context())
	obeyed := make(chan string, 1)
	obeying := make(chan struct{})
	go func() {
		defer close(obeying)
		seat.Orders(orders, func(order string) { obeyed <- order })
	}()
	await(t, "the launcher does not listen", func() bool {
		return ctl.Client{Path: rundir.OfChannel("serial").Ctl()}.Break(t.Context(), "") == nil
	})
	if order := <-obeyed; order != ctl.OrderBreak {
		t.Errorf("ordered %q", order)
	}
	quiet()
	<-obeying
	if err := seat.Leave(); err != nil {
		t.Error(err)
	}
	if _, err := Sit(t.Context(), config); !errors.Is(err, rundir.ErrSeatTaken) {
		t.Errorf("a second VM beside a QEMU: %v", err)
	}
	in.Close()
	qemu.Wait()
	await(t, "the end of QEMU is not seen", attached(false))
	stop()
	// Without a service the launcher carries the relay.
	seat, err = Sit(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if !seat.Carried() || seat.Boot != 2 {
		t.Errorf("%+v", seat)
	}
	if err := seat.Leave(); err != nil {
		t.Error(err)
	}
	if rundir.OfChannel("serial").Running() || rundir.OfChannel("serial").Seated() {
		t.Error("the channel is still taken")
	}
}

// A QEMU that somebody has started by hand on the VM side sits there.
func TestSeatTakenByHand(t *testing.T) {
	config := Config{Name: "serial", Settings: in(place(t))}
	service, _ := run(t, config)
	byHand := exec.Command("bash", "-c", `exec 3<>"$1"; echo ready; read`, "-", service.vmOut())
	in, err := byHand.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := byHand.StdoutPipe()
	if err == nil {
		err = byHand.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	await(t, "it is not seen", func() bool { return service.Status().Consoles[0].Relay.Attached })
	if _, err := Sit(t.Context(), config); err == nil || !strings.Contains(err.Error(), "sits there (pid "+strconv.Itoa(byHand.Process.Pid)) {
		t.Errorf("a launcher beside it: %v", err)
	}
	in.Close()
	byHand.Wait()
	await(t, "its end is not seen", func() bool { return !service.Status().Consoles[0].Relay.Attached })
	seat, err := Sit(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	seat.Leave()
}

// A launcher that comes as the service ends waits for the next relay, or carries
// one.
func TestLauncherAsTheServiceEnds(t *testing.T) {
	config := Config{Name: "serial", Settings: in(place(t))}
	for range 20 {
		_, stop := run(t, config)
		ending := make(chan struct{})
		go func() {
			defer close(ending)
			stop()
		}()
		seat, err := Sit(t.Context(), config)
		if err != nil {
			t.Error(err)
		} else if err := seat.Leave(); err != nil {
			t.Error(err)
		}
		<-ending
	}
}

// Endpoints that somebody has removed are told.
func TestRemovedEndpoints(t *testing.T) {
	directory := place(t)
	service, stop := run(t, Config{Name: "serial", Settings: in(directory)})
	if missing := service.Status().Consoles[0].Missing; len(missing) > 0 {
		t.Errorf("missing at first: %q", missing)
	}
	out := rundir.PublicOf(directory, "serial").Out
	os.Remove(out)
	if missing := service.Status().Consoles[0].Missing; len(missing) != 1 || missing[0] != out {
		t.Errorf("missing: %q", missing)
	}
	stop()
	_, _ = run(t, Config{Name: "serial", Settings: in(directory)})
	if _, err := os.Lstat(out); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	service, _ := run(t, Config{Name: "serial", Settings: in(place(t))})
	var health Health
	for range 3 {
		if !health.Look(service) {
			t.Error("an idle channel is not well")
		}
	}
	health.unread = 1 // there was something, and nothing was taken
	if health.Look(service) {
		t.Error("a channel that is not drained is well")
	}
	if !health.Look(service) {
		t.Error("it does not get well")
	}
}

// All endpoints that cannot be used are told at once, and nothing is left.
func TestForeignEndpoints(t *testing.T) {
	directory := place(t)
	public := rundir.PublicOf(directory, "serial")
	for path, want := range map[string]string{
		public.Socket: "is a file, not a socket", public.PTY: "is a file, not a symbolic link",
	} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Config{Name: "serial", Settings: in(directory)})
		if err == nil || !strings.Contains(err.Error(), path+": "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if rundir.OfChannel("serial").Running() {
		t.Error("the channel's lock is still held")
	}
	os.Remove(public.Socket)
	os.Remove(public.PTY)
	_, stop := run(t, Config{Name: "serial", Settings: in(directory)})
	stop()
	for _, path := range []string{public.Socket, public.PTY, rundir.OfChannel("serial").Ctl()} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left behind: %s (%v)", path, err)
		}
	}
}

// Whenever it is looked who sits there, a boot that was marked is the only one of
// its machine.
func TestBootWhileSomebodyLooks(t *testing.T) {
	c, _ := run(t, Config{Name: "serial", Settings: in(place(t))})
	out := machine(t) // of this process: no QEMU by hand
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				c.look(true)
			}
		}
	}()
	const boots = 200
	for boot := 1; boot <= boots; boot++ {
		var seat *os.File
		await(t, "the seat is taken", func() (free bool) {
			var err error
			seat, err = c.dir.TakeSeat()
			return err == nil
		})
		if number, err := c.Boot(); err != nil || number != boot {
			t.Fatalf("boot %d has number %d, %v", boot, number, err)
		}
		for range 3 {
			if _, err := out.WriteString("a line\n"); err != nil {
				t.Fatal(err)
			}
			await(t, "it is not taken", func() bool { return c.relay.Unread() == 0 })
		}
		if number := c.relay.Status().Boot; number != boot {
			t.Fatalf("boot %d has become %d", boot, number)
		}
		seat.Close()
	}
	close(stop)
	<-stopped
}
