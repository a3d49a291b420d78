package console

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/relay"
)

// Of all clients, only the one that has the seat types.
func TestWritersSeat(t *testing.T) {
	b := start(t)
	ask := func(name, seat string) ctl.StreamRequest { return ctl.StreamRequest{Client: name, Seat: seat} }
	say := func(w io.Writer, text string) {
		t.Helper()
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	reaches := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(b.in, got); err != nil || string(got) != want {
			t.Fatalf("the guest got %q, %v, want %q", got, err, want)
		}
	}
	raw := b.typist(ctl.StreamRequest{})
	say(raw, "free")
	reaches("free")

	first := b.typist(ask("first", ctl.SeatTake))
	if writer := b.relay.Status().Writer; writer != "first" {
		t.Errorf("the writer is %q", writer)
	}
	say(raw, "dropped")
	say(first, "1\x1b[24;80R")
	reaches("1\x1b[24;80R")
	_, err := b.input(ask("second", ctl.SeatTake))
	if !errors.As(err, new(*relay.SeatTakenError)) || err.Error() != "first has the writer's seat" {
		t.Errorf("a second writer: %v", err)
	}

	// By force. The previous holder is notified and can type no more.
	second := b.typist(ask("second", ctl.SeatForce))
	if err := <-first.Lost(); !errors.As(err, new(*relay.SeatTakenError)) || err.Error() != "second has the writer's seat" {
		t.Errorf("the first writer received %v", err)
	}
	if _, err := io.WriteString(first, "late"); !errors.As(err, new(*relay.SeatTakenError)) {
		t.Errorf("the first writer can still type: %v", err)
	}
	first.Close() // does not free the seat
	say(second, "2")
	reaches("2")

	// The same client on a new connection.
	again := b.typist(ask("second", ctl.SeatTake))
	second.Close()
	say(again, "3")
	reaches("3")
	again.Close()
	if writer := b.relay.Status().Writer; writer != "" {
		t.Errorf("the writer is %q", writer)
	}
	// Without the seat, the answers of a terminal do not reach the guest.
	say(raw, "4\x1b[25;90R\x1b[?62;c\x1b[8;24;80t\x1b[?2004;1$y\x1b[A")
	reaches("4\x1b[A")
}

// What a connection types while a client has the seat is dropped.
func TestConnectionsWithoutTheSeat(t *testing.T) {
	b := start(t)
	holder := b.typist(ctl.StreamRequest{Client: "holder", Seat: ctl.SeatTake})
	conn := b.dial("unix")
	b.clients(1)
	if _, err := io.WriteString(conn, "dropped"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	b.clients(0) // everything it sent has been read
	io.WriteString(holder, "kept")
	b.guestReads("kept")
}

// The relay answers terminal queries while no terminal is attached.
func TestRelayAnswers(t *testing.T) {
	for _, test := range []struct{ name, asks, answer string }{
		{"the size", "boot\r\n\x1b[18t", "\x1b[8;24;80t"},
		{"the size by the cursor", "\x1b[6n\x1b[32766;32766H\x1b[6n", "\x1b[1;1R\x1b[24;80R"},
		{"the cursor", "# \x1b[6n", "\x1b[1;1R"},
		{"the terminal's status", "\x1b[5n", "\x1b[0n"},
		{"the attributes", "\x1b[c", "\x1b[?1;2c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := start(t)
			fmt.Fprint(b.out, test.asks)
			got := make([]byte, len(test.answer))
			if _, err := io.ReadFull(b.in, got); err != nil || string(got) != test.answer {
				t.Errorf("got the answer %q, %v, want %q", got, err, test.answer)
			}
			// No second answer, and none while a client has the seat.
			fmt.Fprint(b.out, "more\n")
			b.await(int64(len(test.asks) + 5))
			typist := b.typist(ctl.StreamRequest{Client: "terminal", Seat: ctl.SeatTake, Terminal: true})
			fmt.Fprint(b.out, test.asks)
			b.await(int64(2*len(test.asks) + 5))
			time.Sleep(10 * time.Millisecond) // long enough for a second answer to arrive
			io.WriteString(typist, "end")
			got = make([]byte, 3)
			if _, err := io.ReadFull(b.in, got); err != nil || string(got) != "end" {
				t.Errorf("the guest got %q, %v", got, err)
			}
		})
	}
}

// A query that arrives byte by byte, or split anywhere into two parts, is answered once.
func TestRelayAnswersSplitQueries(t *testing.T) {
	for _, test := range []struct{ asks, answer string }{
		{"boot\r\n\x1b[18t", "\x1b[8;24;80t"},
		{"\x1b[6n\x1b[32766;32766H\x1b[6n", "\x1b[1;1R\x1b[24;80R"},
		{"# \x1b[6n", "\x1b[1;1R"},
		{"\x1b[c\x1b[5n", "\x1b[?1;2c\x1b[0n"},
	} {
		b := start(t)
		printed := int64(0)
		say := func(text string) {
			t.Helper()
			printed += int64(len(text))
			fmt.Fprint(b.out, text)
			b.await(printed)
			for deadline := time.Now().Add(hangLimit); b.relay.Unread() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("timed out: the output is not in the journal")
				}
			}
		}
		for cut := range len(test.asks) {
			say(test.asks[:cut])
			say(test.asks[cut:])
			b.guestReads(test.answer)
		}
		for _, piece := range []byte(test.asks) {
			say(string(piece))
		}
		b.guestReads(test.answer)
		// No second answer.
		say("more\n")
		io.WriteString(b.typist(ctl.StreamRequest{}), "end")
		b.guestReads("end")
	}
}

// No answer is queued after typed input that the guest has not read.
func TestNoAnswerAfterUnreadInput(t *testing.T) {
	b := start(t)
	raw := b.typist(ctl.StreamRequest{})
	io.WriteString(raw, "echo hello\n")
	fmt.Fprint(b.out, "# \x1b[6n")
	b.await(6)
	time.Sleep(10 * time.Millisecond) // long enough for an answer to arrive
	io.WriteString(raw, "exit\n")
	b.guestReads("echo hello\nexit\n")
	fmt.Fprint(b.out, "# \x1b[6n")
	b.guestReads("\x1b[1;1R")
}

// guestReads checks that the guest gets text next.
func (b *bench) guestReads(text string) {
	b.t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(b.in, got); err != nil || string(got) != text {
		b.t.Fatalf("the guest got %q, %v, want %q", got, err, text)
	}
}
