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
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/descriptor"
	"microvm-console/internal/relay"
	"microvm-console/internal/unixsock"
)

// Clients that send and disconnect are removed even if the guest does not read. What the
// relay has accepted from them reaches the guest.
func TestDisconnectedClientsDoNotWaitForTheGuest(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			b := start(t)
			var conns []net.Conn
			for range 40 {
				conns = append(conns, b.dial(network))
			}
			b.clients(len(conns))
			for _, conn := range conns {
				if _, err := io.WriteString(conn, strings.Repeat("x", 5000)); err != nil {
					t.Fatal(err)
				}
				conn.Close()
			}
			b.clients(0)
			queued := b.relay.Status().Input
			if queued == 0 || queued > inputWhole+inputQueue*inputWhole {
				t.Errorf("%d bytes are queued, want 1 to %d", queued, inputWhole+inputQueue*inputWhole)
			}
			accepted := descriptor.Unread(b.in) + queued
			go b.typist(ctl.StreamRequest{}).Write([]byte("end")) // blocks until the guest reads
			b.guestReadsTo("end", accepted+len("end"))
		})
	}
}

// guestReadsTo reads what the guest gets until it ends with the text end, and checks the
// number of bytes unless want is -1.
func (b *bench) guestReadsTo(end string, want int) {
	b.t.Helper()
	got := make([]byte, 0, 1<<20)
	for !strings.HasSuffix(string(got), end) {
		n, err := b.in.Read(got[len(got):cap(got)])
		if err != nil {
			b.t.Fatal(err)
		}
		got = got[:len(got)+n]
	}
	if want >= 0 && len(got) != want {
		b.t.Errorf("the guest got %d bytes, want %d", len(got), want)
	}
}

// A client that shuts down only its sending side stays connected until the guest has read
// its input, however long that takes, and can still read.
func TestHalfClosedClientWaitsForTheGuest(t *testing.T) {
	b := start(t)
	fillInput(t, b)
	conn := b.dial("tcp")
	io.WriteString(conn, "last")
	conn.(*net.TCPConn).CloseWrite()
	time.Sleep(4 * time.Second) // long enough for two searches of the socket table; see package peer
	b.clients(1)
	b.guestReadsTo("last", -1)
	b.print(0, 1)
	if _, err := io.ReadFull(conn, make([]byte, len("line 0\n"))); err != nil {
		t.Error(err)
	}
}

// fillInput fills the input FIFO and the queue.
func fillInput(t *testing.T, b *bench) {
	t.Helper()
	typist, err := b.input(ctl.StreamRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer typist.Close()
	filled := make(chan error, 1)
	go func() {
		for {
			if _, err := typist.Write([]byte(strings.Repeat("x", inputWhole))); err != nil {
				filled <- err
				return
			}
		}
	}()
	for deadline := time.Now().Add(hangLimit); b.relay.Status().Input <= inputQueue*inputWhole; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %d bytes are queued", b.relay.Status().Input)
		}
	}
	typist.Close()
	if err := <-filled; err == nil {
		t.Fatal(err)
	}
}

// The seat is free once its holder has disconnected, even if the guest does not read.
func TestSeatOfAKilledHolder(t *testing.T) {
	b := start(t)
	path := filepath.Join(b.dir, "ctl")
	listener, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener, b.handlers()) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	holder, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(holder, "POST /input?seat=take&client=dead HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 2<<20)
	holder.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := holder.Write(make([]byte, 2<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the relay accepted everything: %v", err)
	}
	if _, err := b.input(ctl.StreamRequest{Client: "next", Seat: ctl.SeatTake}); !errors.As(err, new(*relay.SeatTakenError)) {
		t.Errorf("the seat of a holder that waits: %v", err)
	}
	holder.Close()
	for deadline := time.Now().Add(hangLimit); b.relay.Status().Writer != ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the seat stays taken")
		}
	}
	b.typist(ctl.StreamRequest{Client: "next", Seat: ctl.SeatTake})
}

// A blocked write returns when the typist is closed.
func TestCloseUnblocksTypist(t *testing.T) {
	b := start(t)
	fillInput(t, b)
	typist, err := b.input(ctl.StreamRequest{Client: "first", Seat: ctl.SeatTake})
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := typist.Write([]byte("x"))
		wrote <- err
	}()
	typist.Close()
	if err := <-wrote; err == nil {
		t.Error("the write succeeded")
	}
}

// A console refuses clients above the limit with a message, and accepts one again when
// another has left.
func TestMaxClients(t *testing.T) {
	b := start(t)
	first := b.dial("unix")
	for range relay.MaxClients - 1 {
		b.dial("unix")
	}
	b.clients(relay.MaxClients)
	text, err := io.ReadAll(b.dial("tcp"))
	if err != nil || string(text) != "["+relay.ErrTooManyClients.Error()+"]\r\n" {
		t.Errorf("the next client got %q, %v", text, err)
	}
	if _, err := server.OpenStream(t.Context(), b.relay, ctl.StreamRequest{}); !errors.Is(err, relay.ErrTooManyClients) {
		t.Errorf("a stream: %v", err)
	}
	if crowded := b.relay.Status().Crowded; crowded != 2 {
		t.Errorf("%d clients were refused, want 2", crowded)
	}
	first.Close()
	b.clients(relay.MaxClients - 1)
	b.print(0, 1)
	if _, err := io.ReadFull(b.dial("tcp"), make([]byte, len("line 0\n"))); err != nil {
		t.Error(err)
	}
}

// A program that has closed the terminal does not block the next one, even if the guest
// does not read.
func TestClosedTerminalDoesNotWaitForTheGuest(t *testing.T) {
	b := startPublic(t)
	b.relay.SetAttached(true)
	fillInput(t, b)
	tty := b.opener(b.public.PTY, os.O_RDWR)
	io.WriteString(tty, "more")
	b.clients(1)
	tty.Close()
	b.clients(0)
}
