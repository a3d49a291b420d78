package console

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/endpoint"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
	"microvm-console/internal/testsupport/numbered"
)

// opener opens an endpoint for reading, like cat.
func (b *bench) opener(path string, flags int) *os.File {
	b.t.Helper()
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { file.Close() })
	return file
}

// expect reads the lines from up to, but not including, to, and nothing else.
func (b *bench) expect(r io.Reader, from, to int) {
	b.t.Helper()
	var want strings.Builder
	_ = numbered.Write(&want, from, to) // a strings.Builder returns no error
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
		b.t.Fatalf("timed out reading lines %d to %d", from, to)
	}
}

// files are the two kinds of file endpoints, and how a program opens them for reading.
var files = map[string]struct {
	path  func(*bench) string
	flags int
}{
	"fifo": {func(b *bench) string { return b.public.Out }, os.O_RDONLY},
	"pty":  {func(b *bench) string { return b.public.PTY }, os.O_RDWR | unix.O_NOCTTY},
}

func TestOpenerGetsTheBootAndThenLive(t *testing.T) {
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			b := startPublic(t)
			b.print(0, 200) // without a client
			for round := range 3 {
				b.clients(0)
				opener := b.opener(file.path(b), file.flags)
				b.expect(opener, 0, 200+round*10)
				b.print(200+round*10, 210+round*10)
				b.expect(opener, 200+round*10, 210+round*10)
				opener.Close()
			}
			b.clients(0)
		})
	}
}

// Output that one reader has not read is not seen by the next.
func TestOpenerThatReadsNothing(t *testing.T) {
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			b := startPublic(t)
			b.print(0, 300_000)
			opener := b.opener(file.path(b), file.flags)
			for descriptor.Unread(opener) == 0 {
				time.Sleep(time.Millisecond)
			}
			opener.Close()
			b.clients(0)
			b.print(300_000, 300_100)
			b.expect(b.opener(file.path(b), file.flags), 0, 300_100)
		})
	}
}

func TestOpenerStaysAcrossBoots(t *testing.T) {
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			b := startPublic(t)
			opener := b.opener(file.path(b), file.flags)
			for boot := range 3 {
				if number, err := b.console.Boot(); err != nil || number != boot+2 {
					t.Fatalf("boot %d, %v", number, err)
				}
				b.print(boot*10, boot*10+10)
				b.expect(opener, boot*10, boot*10+10)
			}
			opener.Close()
			b.clients(0)
			b.expect(b.opener(file.path(b), file.flags), 20, 30)
		})
	}
}

// Input written while no VM is attached is not typed into the next VM. It stays in the
// FIFO for a QEMU that uses the public pair directly.
func TestPublicInput(t *testing.T) {
	b := startPublic(t)
	write := func(text string) {
		t.Helper()
		file := b.opener(b.public.In, os.O_WRONLY)
		if _, err := io.WriteString(file, text); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	tty := b.opener(b.public.PTY, os.O_RDWR|unix.O_NOCTTY)
	b.clients(1)
	write("stale")
	io.WriteString(b.dial("tcp"), "stale")
	io.WriteString(tty, "stale")
	for descriptor.Unread(b.in) < len("stalestale") {
		time.Sleep(time.Millisecond)
	}
	if n := descriptor.Unread(b.opener(b.public.In, os.O_RDWR)); n != len("stale") {
		t.Errorf("%d bytes are in the public FIFO, want 5", n)
	}
	if _, err := b.console.Boot(); err != nil {
		t.Fatal(err)
	}
	b.relay.SetAttached(true)
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
	b.relay.SetAttached(false)
	write("later")
	b.relay.SetAttached(true)
	if _, err := io.ReadFull(b.in, got); err != nil || string(got) != "later" {
		t.Fatalf("the guest got %q, %v", got, err)
	}
}

func TestOutputOnlyDropsInput(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in")
	b := startWith(t, setup{
		relay: relay.Config{OutputOnly: true},
		slots: []Slot{{Name: in, Open: func() (Endpoint, error) { return endpoint.OpenInFIFO(in) }}},
	})
	b.relay.SetAttached(true)
	file := b.opener(in, os.O_WRONLY)
	file.SetDeadline(time.Now().Add(hangLimit))
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if n := descriptor.Unread(b.in); n > 0 {
		t.Errorf("%d bytes reached the device", n)
	}
}

// A QEMU started by hand on the public pair has it to itself, and its output remains
// after it has ended.
func TestQEMUByHandOnThePublicPair(t *testing.T) {
	b := startPublic(t)
	b.print(0, 10)
	b.await(70)
	path := b.public.Out
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
	reader := b.opener(path, os.O_RDONLY)
	io.WriteString(in, "\n")
	said("done\n")
	text := make([]byte, 8)
	if _, err := io.ReadFull(reader, text); err != nil || string(text) != "by hand\n" {
		t.Fatalf("got %q, %v", text, err)
	}
	if got, _ := openers.HoldersAt(path); len(got) != 1 || got[0] != byHand.Process.Pid {
		t.Errorf("held by %v, want %d", got, byHand.Process.Pid)
	}
	reader.Close()
	io.WriteString(in, "\n")
	if err := byHand.Wait(); err != nil {
		t.Fatal(err)
	}
	b.clients(0)
	// The relay uses the pair again for the next boot.
	if _, err := b.console.Boot(); err != nil {
		t.Fatal(err)
	}
	b.print(10, 20)
	b.expect(b.opener(path, os.O_RDONLY), 10, 20)
}

// A program that flushes its input while it sets up the line, as minicom does, is sent
// the boot from the start again.
func TestTerminalProgramThatFlushes(t *testing.T) {
	b := startPublic(t)
	b.print(0, 50)
	b.await(390)
	tty := b.opener(b.public.PTY, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK)
	for descriptor.Unread(tty) < 390 {
		time.Sleep(time.Millisecond)
	}
	err := descriptor.Control(tty, func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) })
	if err != nil {
		t.Fatal(err)
	}
	b.print(50, 60)
	b.expect(tty, 0, 60)
}

// When the relay ends, its clients read the rest and then reach the end.
func TestEndOfOpeners(t *testing.T) {
	b := startPublic(t)
	fifo := b.opener(b.public.Out, os.O_RDONLY)
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

func TestEndpointNameIsAnotherKindOfFile(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := errors.Join(os.WriteFile(in, nil, 0o600), os.Symlink("/dev/null", out)); err != nil {
		t.Fatal(err)
	}
	b := startWith(t, setup{slots: []Slot{
		{Name: in, Open: func() (Endpoint, error) { return endpoint.OpenInFIFO(in) }},
		{Name: out, Open: func() (Endpoint, error) { return endpoint.OpenOutFIFO(out) }},
	}})
	b.console.Repair()
	missing := b.console.Missing()
	if len(missing) != 2 || missing[0].Name != in || missing[1].Name != out {
		t.Fatalf("missing: %v", missing)
	}
	for i, want := range []string{in + ": is a file, not a FIFO (remove it, ", out + ": is a symbolic link, not a FIFO (remove it, "} {
		if err := missing[i].Err; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := errors.Join(os.Remove(in), os.Remove(out)); err != nil {
		t.Fatal(err)
	}
	b.console.Repair()
	if missing := b.console.Missing(); len(missing) > 0 {
		t.Errorf("after their removal: missing %v", missing)
	}
}
