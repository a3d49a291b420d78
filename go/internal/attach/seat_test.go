package attach

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/relay"
)

// give gives the writer's seat to a client; "" frees it.
func (o *owner) give(holder string) {
	o.guest.change(func() { o.holder = holder })
}

// A session with input from a pipe needs the writer's seat once it types.
func TestPipeAndTheSeat(t *testing.T) {
	guest, owner := machine(t, "text")
	owner.give("other[1]")
	silent := startPipe(t, Options{})
	silent.in.Close()
	silent.await("the text", func() bool { return string(silent.out.text) == "text" })
	refused := startPipe(t, Options{})
	io.WriteString(refused.in, "x")
	err := result(t, refused.ended)
	if !errors.As(err, new(*ctl.SeatTakenError)) || err.Error() != "input: other (pid 1) has the writer's seat (take it with --force)" {
		t.Errorf("got %v", err)
	}
	forced := startPipe(t, Options{Force: true})
	io.WriteString(forced.in, "forced")
	guest.awaitTyped(t, "forced")
	for _, p := range []*piped{silent, forced} {
		p.cancel(errTimeLimit)
		result(t, p.ended)
	}
}

// A terminal without the writer's seat is read-only until a key takes the free seat. One
// that loses the seat prints that at once, and is read-only again.
func TestKeyboardAndTheSeat(t *testing.T) {
	guest, owner := machine(t, "text")
	owner.give("other[1]")
	s := newScreen(t, false)
	ended := s.start(Options{})
	s.await("[read-only: other (pid 1) types. Attach with --force to take over]")
	s.press("a")
	s.await("\a")
	owner.give("")
	s.press("b")
	guest.awaitTyped(t, "b")
	owner.give("third[3]")
	owner.lost <- &relay.SeatTakenError{Holder: "third[3]"}
	s.await("[read-only: third (pid 3) types.")
	guest.print("live")
	s.await("live")
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	if strings.Contains(string(guest.typed), "a") {
		t.Errorf("typed %q", guest.typed)
	}
}

// A terminal without the seat takes it with a key only, not when its connection is made
// again: the holder, which reconnects too, would lose it.
func TestWatcherLeavesTheSeat(t *testing.T) {
	guest, owner := machine(t, "text")
	owner.give("other[1]")
	s := newScreen(t, false)
	s.returnLimit = time.Hour
	ended := s.start(Options{})
	s.await("[read-only: other (pid 1) types.")
	s.await("text") // it has the stream too
	owner.give("")
	owner.breakOff()
	s.await("connected again")
	guest.print("live")
	s.await("live")
	owner.give("third[3]")
	s.press("a")
	s.await("[read-only: third (pid 3) types.")
	owner.give("")
	s.press("b")
	guest.awaitTyped(t, "b")
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
}

// The holder of the seat gets a notice each time that another client begins to type, and
// keeps the seat.
func TestOthersType(t *testing.T) {
	guest, owner := machine(t, "text")
	s := newScreen(t, false)
	ended := s.start(Options{})
	s.press("a")
	guest.awaitTyped(t, "a")
	for _, through := range []string{"/tmp/qemu-serial.in", "a client\x1b[2J"} {
		owner.others <- through
	}
	s.await("\r\n[another process has typed through /tmp/qemu-serial.in]\r\n")
	s.await("\r\n[another process has typed through a client\\x1b[2J]\r\n")
	s.press("b")
	guest.awaitTyped(t, "ab")
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
}
