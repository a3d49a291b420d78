package attach

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/creack/pty"

	"microvm-console/internal/ctl/server"
	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/state"
	"microvm-console/internal/testsupport/numbered"
)

// historyLines is about 50 MB of history.
const historyLines = 4_200_000

// BenchmarkHistory attaches to a machine that has printed 50 MB, and shows all of it,
// through a real relay and its control socket.
func BenchmarkHistory(b *testing.B) {
	b.Setenv("XDG_RUNTIME_DIR", b.TempDir())
	size := serveHistory(b)
	b.Run("pipe", func(b *testing.B) {
		in, typed, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer in.Close()
		defer typed.Close()
		read, out, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer read.Close()
		defer out.Close()
		showHistory(b, size, read, in, out)
	})
	b.Run("terminal", func(b *testing.B) {
		user, tty, err := pty.Open()
		if err != nil {
			b.Fatal(err)
		}
		defer user.Close()
		defer tty.Close()
		showHistory(b, size, user, tty, tty)
	})
}

// showHistory attaches in and out repeatedly, and measures the time until the first and the
// last byte of the guest arrive at user.
func showHistory(b *testing.B, size int64, user io.Reader, in, out *os.File) {
	b.SetBytes(size)
	first := time.Duration(0)
	for b.Loop() {
		session := newSession(Options{Program: "bench", Place: follow.Place{Console: "ttyS0"}, From: "start", Once: true}, in, out, io.Discard)
		ctx, cancel := context.WithCancelCause(b.Context())
		ended := make(chan error, 1)
		begin := time.Now()
		go func() { ended <- session.attach(ctx) }()
		first += readHistory(b, size, user, begin)
		cancel(errLeft)
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(first.Microseconds())/1000/float64(b.N), "ms-to-first-byte")
}

// readHistory reads all bytes of the guest, and returns the time until the first one.
func readHistory(b *testing.B, size int64, user io.Reader, begin time.Time) (first time.Duration) {
	b.Helper()
	var head []byte
	chunk := make([]byte, 64<<10)
	for got := int64(0); got < size; {
		n, err := user.Read(chunk)
		if err != nil {
			b.Fatal(err)
		}
		if first > 0 {
			got += int64(n)
			continue
		}
		head = append(head, chunk[:n]...) // a notice comes first
		if at := bytes.Index(head, []byte("line 0\n")); at >= 0 {
			first, got = time.Since(begin), int64(len(head)-at)
		}
	}
	return first
}

// serveHistory runs the relay of the machine "demo", which has printed historyLines, and
// returns their size in bytes.
func serveHistory(b *testing.B) int64 {
	b.Helper()
	dir := b.TempDir()
	stream, err := journal.Open(filepath.Join(dir, "journal"), journal.DefaultRetention)
	if err == nil {
		_, err = stream.Boot()
	}
	var r *relay.Relay
	if err == nil {
		r, err = relay.New(relay.Config{Dir: dir, Journal: stream})
	}
	if err != nil {
		b.Fatal(err)
	}
	running := make(chan error, 1)
	go func() { running <- r.Run() }()
	handlers := server.OfRelays(func(string) (*relay.Relay, error) { return r, nil })
	handlers.Status = func() state.Machine {
		return state.Machine{Name: "demo", State: state.Booting, Consoles: []state.Console{{Name: "serial", Device: "ttyS0", Relay: r.Status()}}}
	}
	serve(b, handlers)
	b.Cleanup(func() { // before the owner ends
		r.Finish()
		if err := <-running; err != nil {
			b.Error(err)
		}
	})
	return printHistory(b, r, relay.VMPath(dir)+".out")
}

// printHistory prints the lines as a machine does, waits until the journal has them, and
// returns their size in bytes.
func printHistory(b *testing.B, r *relay.Relay, path string) int64 {
	b.Helper()
	out, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	var size counter
	if err := numbered.Write(io.MultiWriter(out, &size), 0, historyLines); err != nil {
		b.Fatal(err)
	}
	last := r.Journal().NewReader(int64(size) - 1)
	defer last.Close()
	if err := last.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	return int64(size)
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}
