package relay

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/testsupport/numbered"
)

// The relay together with its endpoints is tested in package console.

// hangLimit is when a test gives up waiting.
const hangLimit = time.Minute

// bench is a running relay and the VM's end of it.
type bench struct {
	t     *testing.T
	relay *Relay
	out   *os.File // the VM prints here
	ended chan error
}

// start runs a relay whose journal has no boot.
func start(t *testing.T, config Config) *bench {
	t.Helper()
	config.Dir = t.TempDir()
	var err error
	if config.Journal, err = journal.Open(filepath.Join(config.Dir, "journal"), journal.DefaultRetention); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, ended: make(chan error, 1)}
	if b.relay, err = New(config); err != nil {
		t.Fatal(err)
	}
	if b.out, err = os.OpenFile(VMPath(config.Dir)+".out", os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.out.Close() })
	go func() { b.ended <- b.relay.Run() }()
	t.Cleanup(b.finish)
	return b
}

// finish ends the VM and waits for the relay.
func (b *bench) finish() {
	b.t.Helper()
	b.relay.Finish()
	select {
	case err := <-b.ended:
		if err != nil {
			b.t.Errorf("Run: %v", err)
		}
		b.ended <- nil // for the next call
	case <-time.After(hangLimit):
		b.t.Fatal("Run does not return")
	}
}

// await waits until done returns true.
func (b *bench) await(what string, done func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(hangLimit); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("timed out waiting for: %s", what)
		}
	}
}

func (b *bench) print(from, to int) {
	b.t.Helper()
	if err := numbered.Write(b.out, from, to); err != nil {
		b.t.Fatal(err)
	}
}

// Without calls to Boot, each boot begins with its first byte.
func TestOwnBoots(t *testing.T) {
	b := start(t, Config{OwnBoots: true})
	b.relay.Gone()
	for boot := range int64(3) {
		b.await("a boot to be expected", func() bool { return b.relay.vm.boots.Load() == bootNext })
		if boot > 0 { // the VM is seen before it prints
			b.relay.SetAttached(true)
		}
		b.print(10, 20) // 80 bytes
		b.await("the bytes", func() bool { return b.relay.Status().End == 80*(boot+1) })
		b.relay.SetAttached(false)
		b.relay.Gone()
		if start, end, err := b.relay.Journal().BootRange(0); err != nil || start != 80*boot || end != 80*(boot+1) {
			t.Fatalf("boot %d is from %d to %d, %v", boot, start, end, err)
		}
	}
}

// A client that opens a stream before anything was ever printed gets the first boot from
// its first byte.
func TestStreamBeforeTheFirstBoot(t *testing.T) {
	b := start(t, Config{OwnBoots: true})
	b.relay.Gone()
	var streams []*Stream
	for _, from := range []string{"start", "now", "-5", "0"} {
		stream, err := b.relay.Open(t.Context(), ClientInfo{}, Part{From: from}, false)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		streams = append(streams, stream)
		if _, err := b.relay.Open(t.Context(), ClientInfo{}, Part{Boot: -1}, false); !errors.As(err, new(*PartError)) {
			t.Errorf("a boot before the first one: %v", err)
		}
	}
	b.print(0, 10)
	for _, stream := range streams {
		var checker numbered.Checker
		if _, err := io.CopyN(&checker, stream, 70); err != nil {
			t.Fatal(err)
		}
		if err := checker.Whole(10); err != nil {
			t.Error(err)
		}
	}
}

// Without splice(2) the bytes are the same, and the status says that the journal is not
// exact.
func TestWithoutSplice(t *testing.T) {
	b := start(t, Config{})
	socket, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket[0])
	defer unix.Close(socket[1])
	// splice(2) fails on a socket as it does on a file system without support.
	if _, err := b.relay.Journal().Take(socket[0], ""); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	stream, err := b.relay.Open(t.Context(), ClientInfo{}, Part{}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	read := make(chan error, 1)
	go func() {
		var checker numbered.Checker
		_, err := io.Copy(&checker, stream)
		if err == nil {
			err = checker.Whole(100_000)
		}
		read <- err
	}()
	b.print(0, 100_000)
	if b.relay.Status().Exact {
		t.Error("Exact is set without splice(2)")
	}
	b.await("the pipe to be empty", func() bool { return b.relay.Unread() == 0 })
	b.relay.Finish()
	if err := <-read; err != nil {
		t.Error(err)
	}
}

func TestVMSideIsNotAFIFO(t *testing.T) {
	for name, make := range map[string]func(string) error{
		"a file":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a symbolic link": func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := make(filepath.Join(dir, "vm.out")); err != nil {
				t.Fatal(err)
			}
			if _, err := New(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "vm.out") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Status shows the real capacity of the FIFO from QEMU, which is small if the user has
// used up the pipe buffers.
func TestCapacity(t *testing.T) {
	b := start(t, Config{})
	for _, want := range []int{8192, 65536} {
		if _, err := unix.FcntlInt(b.out.Fd(), unix.F_SETPIPE_SZ, want); err != nil {
			t.Fatal(err)
		}
		if got := b.relay.Status().FIFOBytes; got != want {
			t.Errorf("FIFOBytes is %d, want %d", got, want)
		}
	}
}
