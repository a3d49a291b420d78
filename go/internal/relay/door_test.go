package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/numbered"
)

// startPublic starts a relay with all public endpoints.
func startPublic(t *testing.T) *bench {
	t.Helper()
	return startWith(t, func(c *Config) {
		c.In, c.Out = filepath.Join(c.Dir, "public.in"), filepath.Join(c.Dir, "public.out")
		var err error
		if c.PTY, err = OpenPTY(); err != nil {
			t.Fatal(err)
		}
	})
}

// visitor opens a door for reading, as cat does.
func (b *bench) visitor(path string, flags int) *os.File {
	b.t.Helper()
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { file.Close() })
	return file
}

// expect reads exactly the lines from up to, not including, to.
func (b *bench) expect(r io.Reader, from, to int) {
	b.t.Helper()
	var want strings.Builder
	_ = numbered.Write(&want, from, to) // to a string
	got := make([]byte, want.Len())
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(r, got)
		read <- err
	}()
	select {
	case err := <-read:
		if err != nil || string(got) != want.String() {
			b.t.Fatalf("got %.80q, %v, want %.80q", got, err, want.String())
		}
	case <-time.After(hangLimit):
		b.t.Fatalf("nothing comes: lines %d to %d", from, to)
	}
}

// doors are the two kinds, and how a program opens them to read.
var doors = map[string]struct {
	path  func(*bench) string
	flags int
}{
	"fifo": {func(b *bench) string { return b.relay.config.Out }, os.O_RDONLY},
	"pty":  {func(b *bench) string { return b.relay.config.PTY.Name() }, os.O_RDWR | unix.O_NOCTTY},
}

func TestVisitorGetsTheBootAndThenLive(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			b := startPublic(t)
			b.print(0, 200) // nobody is there
			for round := range 3 {
				b.clients(0)
				visitor := b.visitor(door.path(b), door.flags)
				b.expect(visitor, 0, 200+round*10)
				b.print(200+round*10, 210+round*10)
				b.expect(visitor, 200+round*10, 210+round*10)
				visitor.Close()
			}
			b.clients(0)
		})
	}
}

// One who has not read what came leaves nothing behind for the next.
func TestVisitorWhoReadsNothing(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			b := startPublic(t)
			b.print(0, 300_000)
			visitor := b.visitor(door.path(b), door.flags)
			for unread(visitor) == 0 {
				time.Sleep(time.Millisecond)
			}
			visitor.Close()
			b.clients(0)
			b.print(300_000, 300_100)
			b.expect(b.visitor(door.path(b), door.flags), 0, 300_100)
		})
	}
}

func TestVisitorStaysOverBoots(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			b := startPublic(t)
			visitor := b.visitor(door.path(b), door.flags)
			for boot := range 3 {
				if number, err := b.relay.Boot(); err != nil || number != boot+2 {
					t.Fatalf("boot %d, %v", number, err)
				}
				b.print(boot*10, boot*10+10)
				b.expect(visitor, boot*10, boot*10+10)
			}
			visitor.Close()
			b.clients(0)
			b.expect(b.visitor(door.path(b), door.flags), 20, 30)
		})
	}
}

// What is written while no machine is there is not typed into the next one, and
// left for a QEMU that sits on the public pair.
func TestPublicInput(t *testing.T) {
	b := startPublic(t)
	write := func(text string) {
		t.Helper()
		file := b.visitor(b.relay.config.In, os.O_WRONLY)
		if _, err := io.WriteString(file, text); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	tty := b.visitor(b.relay.config.PTY.Name(), os.O_RDWR|unix.O_NOCTTY)
	b.clients(1)
	write("stale")
	io.WriteString(b.dial("tcp"), "stale")
	io.WriteString(tty, "stale")
	for unread(b.in) < len("stalestale") {
		time.Sleep(time.Millisecond)
	}
	if n := unread(b.relay.ins[0].file); n != len("stale") {
		t.Errorf("%d bytes wait in the public FIFO", n)
	}
	if _, err := b.relay.Boot(); err != nil {
		t.Fatal(err)
	}
	b.relay.Attach(true)
	got := make([]byte, 5)
	for _, text := range []string{"fifo1", "fifo2"} {
		write(text)
		if _, err := io.ReadFull(b.in, got); err != nil || string(got) != text {
			t.Fatalf("the guest got %q, %v", got, err)
		}
	}
	io.WriteString(tty, "a pty")
	if _, err := io.ReadFull(b.in, got); err != nil || string(got) != "a pty" {
		t.Fatalf("the guest got %q, %v", got, err)
	}
	b.relay.Attach(false)
	write("later")
	b.relay.Attach(true)
	if _, err := io.ReadFull(b.in, got); err != nil || string(got) != "later" {
		t.Fatalf("the guest got %q, %v", got, err)
	}
}

func TestOutputOnlyDropsInput(t *testing.T) {
	b := startWith(t, func(c *Config) { c.In, c.OutputOnly = filepath.Join(c.Dir, "public.in"), true })
	b.relay.Attach(true)
	file := b.visitor(b.relay.config.In, os.O_WRONLY)
	file.SetDeadline(time.Now().Add(hangLimit))
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if n := unread(b.in); n > 0 {
		t.Errorf("%d bytes reached the device", n)
	}
}

// A QEMU that somebody starts on the public pair has it for itself, and what it
// wrote is there when it has gone.
func TestMachineByHandOnThePublicPair(t *testing.T) {
	b := startPublic(t)
	b.print(0, 10)
	b.await(70)
	path := b.relay.config.Out
	byHand := exec.Command("bash", "-c", `exec 3<>"$1"; echo ready; read; echo by hand >&3; echo done; read`, "-", path)
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
	said := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	said("ready\n")
	reader := b.visitor(path, os.O_RDONLY)
	io.WriteString(in, "\n")
	said("done\n")
	text := make([]byte, 8)
	if _, err := io.ReadFull(reader, text); err != nil || string(text) != "by hand\n" {
		t.Fatalf("got %q, %v", text, err)
	}
	if got := Holders(path); len(got) != 1 || got[0] != byHand.Process.Pid {
		t.Errorf("held by %v, want %d", got, byHand.Process.Pid)
	}
	reader.Close()
	io.WriteString(in, "\n")
	if err := byHand.Wait(); err != nil {
		t.Fatal(err)
	}
	b.clients(0)
	// The next boot is the relay's again.
	if _, err := b.relay.Boot(); err != nil {
		t.Fatal(err)
	}
	b.print(10, 20)
	b.expect(b.visitor(path, os.O_RDONLY), 10, 20)
}

// A program that throws away what has come while it sets up the line, as minicom
// does, gets the start again.
func TestTerminalProgramThatFlushes(t *testing.T) {
	b := startPublic(t)
	b.print(0, 50)
	b.await(390)
	tty := b.visitor(b.relay.config.PTY.Name(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK)
	for unread(tty) < 390 {
		time.Sleep(time.Millisecond)
	}
	err := control(tty, func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) })
	if err != nil {
		t.Fatal(err)
	}
	b.print(50, 60)
	b.expect(tty, 0, 60)
}

// The end of the relay ends its visitors, once they have read all.
func TestEndOfVisitors(t *testing.T) {
	b := startPublic(t)
	fifo := b.visitor(b.relay.config.Out, os.O_RDONLY)
	b.clients(1)
	b.print(0, 100_000)
	var checker numbered.Checker
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(&checker, fifo)
		read <- err
	}()
	b.finish()
	if err := errors.Join(<-read, checker.Whole(100_000)); err != nil {
		t.Error(err)
	}
}

func TestEndpointThatIsAnothersKind(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := errors.Join(os.WriteFile(in, nil, 0o600), os.Symlink("/dev/null", out)); err != nil {
		t.Fatal(err)
	}
	stream, err := journal.Open(t.TempDir(), journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Dir: dir, In: in, Out: out, Journal: stream, Listeners: []net.Listener{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Abandon()
	err = r.Renew()
	for _, want := range []string{in + ": is a file, not a FIFO (remove it, ", out + ": is a symbolic link, not a FIFO (remove it, "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if lacks := strings.Join(r.Lacks(), " "); lacks != in+" "+out {
		t.Errorf("it lacks %s", lacks)
	}
	if err := errors.Join(os.Remove(in), os.Remove(out), r.Renew()); err != nil || len(r.Lacks()) > 0 {
		t.Errorf("once they are gone: %v, it lacks %s", err, r.Lacks())
	}
}

// Who comes before the last reader is seen to have gone, and reads what that one
// has left, goes on behind it: nothing twice.
func TestReaderWhoComesEarlyGoesOnWhereTheLastOneEnded(t *testing.T) {
	b := startPublic(t)
	b.print(0, 100)
	_, end := b.relay.Journal().Range()
	fifo, err := newOutFIFO(filepath.Join(t.TempDir(), "out"), func() int64 { return end })
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.file.Close()
	first := b.visitor(fifo.name, os.O_RDONLY)
	if _, err := fifo.Write([]byte("left")); err != nil {
		t.Fatal(err)
	}
	early := b.visitor(fifo.name, os.O_RDONLY)
	first.Close()
	if n, err := early.Read(make([]byte, 10)); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if err := fifo.reset(50); err != nil {
		t.Fatal(err)
	}
	if at := fifo.origin(b.relay.Journal()); at != 50 {
		t.Errorf("the early one goes on at %d", at)
	}
	early.Close()
	if err := fifo.reset(60); err != nil {
		t.Fatal(err)
	}
	if at := fifo.origin(b.relay.Journal()); at != 0 {
		t.Errorf("the next one begins at %d", at)
	}
}

// A reader who is there when a relay starts has read an earlier one's bytes,
// nobody knows how many: for him it ends there.
func TestReaderOfAnEarlierRelayIsDoneWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	none := func() int64 { return 0 }
	killed, err := newOutFIFO(path, none)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	sleep := exec.Command("sleep", "1000") // another process that has it open
	sleep.Stdin = reader
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	if _, err := killed.Write([]byte("left")); err != nil {
		t.Fatal(err)
	}
	killed.file.Close()
	fifo, err := newOutFIFO(path, none)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.file.Close()
	if fifo.present() || unread(fifo.file) != 0 {
		t.Error("he is taken for a new one")
	}
	if text, err := io.ReadAll(reader); string(text) != "left" || err != nil {
		t.Errorf("he reads %q, %v", text, err)
	}
}
