package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/descriptor"
	"microvm-console/internal/endpoint"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/testsupport/numbered"
)

// inputWhole and inputQueue equal the constants of package relay.
const (
	inputWhole = 4096
	inputQueue = 16
)

// hangLimit is when a test gives up waiting.
const hangLimit = time.Minute

// bench is a running console and the VM's end of it.
type bench struct {
	t       *testing.T
	console *Console
	relay   *relay.Relay
	dir     string
	tcp     net.Listener
	public  rundir.Public
	out     *os.File // the VM prints here
	in      *os.File // the VM reads here
	ended   chan error
}

// setup is what a test changes about a console.
type setup struct {
	relay  relay.Config
	slots  []Slot
	listen func(net.Listener) net.Listener // nil: use the listener itself
	fresh  bool                            // do not begin a boot
	before func(dir string)                // called before the console is opened; may be nil
}

func start(t *testing.T) *bench {
	t.Helper()
	return startWith(t, setup{})
}

// startPublic starts a console with all endpoints in the file system.
func startPublic(t *testing.T) *bench {
	t.Helper()
	public := rundir.PublicOf(t.TempDir(), "test")
	b := startWith(t, setup{slots: []Slot{
		{Name: public.In, Open: func() (Endpoint, error) { return endpoint.OpenInFIFO(public.In) }},
		{Name: public.Out, Open: func() (Endpoint, error) { return endpoint.OpenOutFIFO(public.Out) }},
		{Name: public.PTY, Open: func() (Endpoint, error) { return endpoint.OpenPTY(public.PTY, "") }},
	}})
	b.public = public
	return b
}

// startWith starts a console with a port, a Unix socket and the settings of s.
func startWith(t *testing.T, s setup) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "console") // a short path, for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if s.before != nil {
		s.before(dir)
	}
	b := &bench{t: t, dir: dir, ended: make(chan error, 1)}
	b.console, err = Open(Config{
		Dir: dir, Journal: filepath.Join(dir, "journal"), Retention: journal.Retention{Bytes: 1 << 30, Boots: 10}, Relay: s.relay,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.relay = b.console.Relay()
	if b.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if s.listen != nil {
		b.tcp = s.listen(b.tcp)
	}
	for _, slot := range append([]Slot{
		{Name: "port", Open: func() (Endpoint, error) { return endpoint.Listeners{b.tcp}, nil }},
		{Name: "socket", Open: func() (Endpoint, error) { return endpoint.ListenUnix(rundir.Socket(dir), 0o600) }},
	}, s.slots...) {
		if err := b.console.Add(slot); err != nil {
			t.Fatal(err)
		}
	}
	if !s.fresh {
		if _, err := b.relay.Journal().Boot(); err != nil {
			t.Fatal(err)
		}
	}
	b.out, b.in = b.open("vm.out"), b.open("vm.in")
	go func() { b.ended <- b.console.Run() }()
	t.Cleanup(func() { b.finish() })
	return b
}

// open opens a FIFO like QEMU.
func (b *bench) open(name string) *os.File {
	b.t.Helper()
	file, err := os.OpenFile(filepath.Join(b.dir, name), os.O_RDWR, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { file.Close() })
	return file
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

func (b *bench) dial(network string) net.Conn {
	b.t.Helper()
	address := b.tcp.Addr().String()
	if network == "unix" {
		address = filepath.Join(b.dir, "sock")
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	return conn
}

func (b *bench) print(from, to int) {
	b.t.Helper()
	if err := numbered.Write(b.out, from, to); err != nil {
		b.t.Fatal(err)
	}
}

// typist returns a typist for a client.
func (b *bench) typist(request ctl.StreamRequest) server.Typist {
	b.t.Helper()
	typist, err := b.input(request)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(typist.Close)
	return typist
}

// input handles a request like the control socket.
func (b *bench) input(request ctl.StreamRequest) (server.Typist, error) {
	return b.handlers().Input(request)
}

func (b *bench) handlers() server.Handlers {
	return server.OfRelays(func(string) (*relay.Relay, error) { return b.relay, nil })
}

// reader reads r to the end and checks that it has all lines.
func (b *bench) reader(readers *sync.WaitGroup, name string, r io.Reader, lines int) {
	readers.Go(func() {
		var checker numbered.Checker
		_, err := io.Copy(&checker, r)
		if err == nil {
			err = checker.Whole(lines)
		}
		if err != nil {
			b.t.Errorf("%s: %v", name, err)
		}
	})
}

func TestEveryClientGetsEveryByte(t *testing.T) {
	b := start(t)
	const lines = 400_000
	b.print(0, lines/2) // no client is attached
	var readers sync.WaitGroup
	b.reader(&readers, "tcp", b.dial("tcp"), lines)
	b.reader(&readers, "unix", b.dial("unix"), lines)
	stream, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	b.reader(&readers, "stream", stream, lines)
	b.clients(3)
	b.dial("tcp") // this one never reads
	b.clients(4)
	b.print(lines/2, lines)
	go func() { // finishing earlier would disconnect the slow readers
		for b.maxLag() > 0 {
			time.Sleep(time.Millisecond)
		}
		b.relay.Finish()
	}()
	readers.Wait()
	b.finish()
}

// maxLag returns the largest number of bytes that one of the three readers has not read.
func (b *bench) maxLag() int64 {
	lag := int64(b.relay.Unread())
	for _, client := range b.relay.Status().Clients[:3] {
		lag = max(lag, client.Lag)
	}
	return lag
}

func TestRanges(t *testing.T) {
	b := start(t)
	b.print(0, 10) // "line 0\n" … : 70 bytes
	b.await(70)
	if _, err := b.relay.Journal().Boot(); err != nil {
		t.Fatal(err)
	}
	b.print(10, 12) // 16 bytes
	b.await(86)
	for _, test := range []struct {
		request ctl.StreamRequest
		offset  int64
		text    string // including what is printed meanwhile
		fails   string
	}{
		{ctl.StreamRequest{}, 70, "line 10\nline 11\n", ""},
		{ctl.StreamRequest{From: "now"}, 86, "", ""},
		{ctl.StreamRequest{From: "-3"}, 83, "11\n", ""},
		{ctl.StreamRequest{From: "-300"}, 70, "line 10\nline 11\n", ""},
		{ctl.StreamRequest{From: "63"}, 63, "line 9\nline 10\nline 11\n", ""},
		{ctl.StreamRequest{Boot: -1, From: "-7"}, 63, "line 9\n", ""},
		{ctl.StreamRequest{Boot: -2}, 0, "", "boot: -2 is not kept (choose one from -1, the oldest, to 0, the newest)"},
		{ctl.StreamRequest{From: "87"}, 0, "", "from: offset 87 is after the end (use an offset from 0 to 86, start, now or -BYTES)"},
		{ctl.StreamRequest{Boot: -1, From: "71"}, 0, "", "from: offset 71 is after the end (use an offset from 0 to 70, start, now or -BYTES)"},
		{ctl.StreamRequest{From: "soon"}, 0, "", `from: invalid position "soon" (use start, now, -BYTES or an offset)`},
	} {
		stream, err := server.OpenStream(t.Context(), b.relay, test.request)
		if test.fails != "" {
			if !errors.As(err, new(*relay.PartError)) || err.Error() != test.fails {
				t.Errorf("%+v: %v, want %q", test.request, err, test.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", test.request, err)
			continue
		}
		text := make([]byte, len(test.text))
		_, err = io.ReadFull(stream, text)
		if err != nil || string(text) != test.text || stream.Offset != test.offset {
			t.Errorf("%+v: %q from %d, %v, want %q from %d", test.request, text, stream.Offset, err, test.text, test.offset)
		}
		stream.Close()
	}
}

// await waits until the journal ends at this offset.
func (b *bench) await(end int64) {
	b.t.Helper()
	for deadline := time.Now().Add(hangLimit); b.relay.Status().End < end; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("the journal ends at %d, want %d", b.relay.Status().End, end)
		}
	}
}

func TestInputIsWholeAndReachesTheGuest(t *testing.T) {
	b := start(t)
	const writers, each = 8, 50
	var typing sync.WaitGroup
	for i := range writers {
		conn := b.dial([]string{"tcp", "unix"}[i%2])
		typist := b.typist(ctl.StreamRequest{})
		typing.Go(func() {
			line := strings.Repeat(string(rune('a'+i)), 999) + "\n"
			for n := range each {
				if n%2 == 0 {
					io.WriteString(typist, line)
				} else {
					io.WriteString(conn, line)
				}
			}
		})
	}
	got := make([]byte, writers*each*1000)
	if _, err := io.ReadFull(b.in, got); err != nil {
		t.Fatal(err)
	}
	typing.Wait()
	letters := map[byte]int{}
	for _, c := range got {
		letters[c]++
	}
	for i := range writers {
		if letters[byte('a'+i)] != each*999 {
			t.Errorf("writer %d: %d bytes of %d arrived", i, letters[byte('a'+i)], each*999)
		}
	}
}

// The bytes of one write, up to 4096, are not mixed with another client's.
func TestInputIsNotInterleaved(t *testing.T) {
	b := start(t)
	var typing sync.WaitGroup
	for _, letter := range "abcd" {
		typist := b.typist(ctl.StreamRequest{})
		typing.Go(func() {
			for range 20 {
				io.WriteString(typist, strings.Repeat(string(letter), inputWhole))
			}
		})
	}
	block := make([]byte, inputWhole)
	for range 80 {
		if _, err := io.ReadFull(b.in, block); err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(block), string(block[0])) != inputWhole {
			t.Fatal("two clients' input is mixed")
		}
	}
	typing.Wait()
}

// A client that shuts down only its sending side still reads: echo x | nc -N.
func TestHalfClosedClientStillReads(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			b := start(t)
			conn := b.dial(network)
			io.WriteString(conn, "x")
			conn.(interface{ CloseWrite() error }).CloseWrite()
			if _, err := io.ReadFull(b.in, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			b.print(0, 1000)
			var readers sync.WaitGroup
			b.reader(&readers, network, conn, 1000)
			b.relay.Finish()
			readers.Wait()
		})
	}
}

// A client that disconnects is removed, even if nothing is printed.
func TestDisconnectedClientIsRemoved(t *testing.T) {
	b := start(t)
	conn := b.dial("unix")
	b.clients(1)
	conn.Close()
	b.clients(0)
}

// clients waits until there are n clients.
func (b *bench) clients(n int) {
	b.t.Helper()
	for deadline := time.Now().Add(hangLimit); len(b.relay.Status().Clients) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d clients, want %d", len(b.relay.Status().Clients), n)
		}
	}
}

func TestClientsComeAndGo(t *testing.T) {
	b := start(t)
	const lines, clients = 200_000, 100
	printing := make(chan error, 1)
	go func() { printing <- numbered.Write(b.out, 0, lines) }()
	var readers sync.WaitGroup
	for i := range clients {
		readers.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := server.OpenStream(ctx, b.relay, ctl.StreamRequest{Client: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			defer stream.Close()
			var checker numbered.Checker
			if _, err := io.CopyN(&checker, stream, int64(i)*10_000); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	readers.Wait()
	if err := <-printing; err != nil {
		t.Fatal(err)
	}
	b.clients(0)
}

// Bytes that could not be stored are in the status, and each client gets a notice at
// their place.
func TestLosses(t *testing.T) {
	b := start(t)
	b.print(0, 10)
	b.await(70)
	conn := b.dial("unix")
	b.expect(conn, 0, 10)
	b.relay.Journal().Lose(11, errors.New("no space"))
	b.print(10, 12)
	b.await(86)
	if gaps := b.relay.Status().Gaps; len(gaps) != 1 || gaps[0] != (state.Gap{Offset: 70, Bytes: 11, Cause: "no space"}) {
		t.Errorf("gaps %+v", gaps)
	}
	const notice = "\r\n[11 bytes were lost (offset 70: no space)]\r\n"
	got := make([]byte, len(notice))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != notice {
		t.Errorf("got %q, %v", got, err)
	}
	b.expect(conn, 10, 12)
	plain, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	b.expect(plain, 0, 12)
	reporting, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{Gaps: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reporting.Close()
	b.expect(reporting, 0, 10)
	var loss *journal.LossError
	if _, err := reporting.Read(got); !errors.As(err, &loss) {
		t.Errorf("got %v", err)
	}
	again, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{From: "70", Gaps: true})
	if err != nil || again.Gap != 11 {
		t.Fatalf("%+v, %v", again, err)
	}
	defer again.Close()
	b.expect(again, 10, 12)
}

// A client whose stream ended at a missing part of a journal file asks again from there.
// It gets what follows the gap.
func TestStreamFromAHole(t *testing.T) {
	b := start(t)
	b.print(0, 10)
	b.await(70)
	files, err := filepath.Glob(filepath.Join(b.relay.Journal().Dir(), "*.000001.log"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 35); err != nil {
		t.Fatal(err)
	}
	b.print(10, 20)
	b.await(150)
	first, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{Gaps: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	b.expect(first, 0, 5)
	var gap *journal.GapError
	if _, err := first.Read(make([]byte, 1)); !errors.As(err, &gap) || gap.From != 35 || gap.To != 70 {
		t.Errorf("got %v", err)
	}
	again, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{From: "35", Gaps: true})
	if err != nil || again.Gap != 35 || again.Offset != 70 {
		t.Fatalf("%+v, %v", again, err)
	}
	defer again.Close()
	b.expect(again, 10, 20)
}

// When a VM with a virtio console found the pipe full, a gap is recorded at the offset
// after which bytes may be missing. If the VM waits instead, none is recorded.
func TestFullPipe(t *testing.T) {
	for _, drops := range []bool{true, false} {
		var printed []byte
		b := startWith(t, setup{
			relay:  relay.Config{Drops: drops},
			before: func(dir string) { printed = fill(t, dir) },
		})
		b.await(int64(len(printed)))
		fmt.Fprint(b.out, "more\n")
		b.await(int64(len(printed) + 5))
		gaps := b.relay.Status().Gaps
		if !drops {
			if len(gaps) > 0 {
				t.Errorf("a VM that waits: gaps %+v", gaps)
			}
			continue
		}
		if len(gaps) != 1 || gaps[0].Offset != int64(len(printed)) || gaps[0].Bytes != 0 {
			t.Fatalf("%d bytes printed, gaps %+v", len(printed), gaps)
		}
		want := fmt.Sprintf("%s\r\n[bytes may be missing here (offset %d: %s)]\r\nmore\n", printed, len(printed), gaps[0].Cause)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(b.dial("tcp"), got); err != nil || string(got) != want {
			t.Errorf("a client got …%q, %v", got[len(got)-200:], err)
		}
	}
}

// fill fills the pipe of a VM while no relay runs, and returns what it has written.
func fill(t *testing.T, dir string) (printed []byte) {
	t.Helper()
	out, err := rundir.OpenFIFO(relay.VMPath(dir) + ".out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	err = descriptor.Control(out, func(fd int) error {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, state.WholeFIFO); err != nil {
			return err
		}
		for number := 0; ; number++ { // non-blocking, like QEMU
			line := fmt.Appendf(nil, "%07d\n", number)
			if _, err := unix.Write(fd, line); err != nil {
				return nil //nolint:nilerr // full
			}
			printed = append(printed, line...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return printed
}

func TestRunLeavesNothingBehind(t *testing.T) {
	b := start(t)
	b.dial("tcp")
	b.dial("unix")
	b.clients(2)
	io.WriteString(b.typist(ctl.StreamRequest{}), "no guest reads this")
	b.finish()
	if _, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{}); !errors.Is(err, relay.ErrFinished) {
		t.Errorf("a client joined after the end: %v", err)
	}
	if _, err := net.Dial("tcp", b.tcp.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}
