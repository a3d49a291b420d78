// Package peer reports when the process at the other end of a connection has gone.
//
// One that has only finished sending (shutdown(2), as "nc -N" does) has not gone: it may
// still read. A Unix socket shows the difference at once, by POLLHUP. A TCP socket does
// not: a peer that has closed looks as one that has finished sending until something is
// sent to it, and there may be nothing to send. So the kernel's table of sockets is
// asked whether a process of this host still holds the other end; ports are on localhost
// alone.
package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guard"
)

const (
	// lookEvery is how often Await looks at the connection itself, which costs a
	// microsecond.
	lookEvery = 100 * time.Millisecond
	// firstAsk and lastAsk are the first and the longest pause between two questions to
	// the kernel's table, which is read whole.
	firstAsk, lastAsk = time.Second, 15 * time.Second
)

// Await waits until the process at the other end of conn has gone, or conn is closed; it
// returns nil then. Else it returns the cause of ctx's end. It reads nothing, and another
// goroutine may read meanwhile.
func Await(ctx context.Context, conn net.Conn) error {
	look := looker{conn: conn, pause: firstAsk}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	next := time.Now().Add(look.pause)
	for !look.hungUp() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-ticker.C:
			if now.Before(next) {
				continue
			}
			if look.ask() {
				return nil
			}
			next = now.Add(look.pause)
		}
	}
	return nil
}

// sentGrace is how long a Write waits before the peer is asked: a guest that reads makes
// room sooner, and gets all that a client has sent before it closed.
const sentGrace = time.Second

// Writer writes what the peer of a connection has sent to Writer, which may wait for long.
type Writer struct {
	io.Writer
	Conn net.Conn
	Gone func() // ends a Write whose peer has gone
}

func (w Writer) Write(data []byte) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(sentGrace, func() {
		if Await(ctx, w.Conn) == nil {
			w.Gone()
		}
	}).Stop()
	return w.Writer.Write(data)
}

// AwaitEnd is Await for a connection whose input has ended, so that nothing reads from it
// any more. It sleeps until the kernel reports a change. The end of conn ends it.
func AwaitEnd(conn net.Conn) {
	file, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	look := looker{conn: conn, pause: firstAsk}
	for {
		var deadline time.Time
		if look.tcp() {
			deadline = time.Now().Add(look.pause)
		}
		if conn.SetReadDeadline(deadline) != nil {
			return // it is closed
		}
		err := raw.Read(func(fd uintptr) bool { return polled(fd)&(unix.POLLHUP|unix.POLLERR) != 0 })
		if !errors.Is(err, os.ErrDeadlineExceeded) || look.ask() {
			return
		}
	}
}

// looker looks at one connection again and again.
type looker struct {
	conn   net.Conn
	pause  time.Duration // until the table is to be asked again
	absent bool          // by the last answer, no process holds the other end
}

func (l *looker) tcp() bool {
	_, tcp := l.conn.RemoteAddr().(*net.TCPAddr)
	return tcp
}

// hungUp reports whether the connection itself shows that the peer has gone.
func (l *looker) hungUp() bool { return l.events()&(unix.POLLHUP|unix.POLLERR) != 0 }

// ask reports whether the table of sockets shows that a TCP peer has gone. It takes two
// questions: the table changes while it is read, and a line may be missed.
func (l *looker) ask() bool {
	if !l.tcp() || l.events()&unix.POLLRDHUP == 0 {
		return false
	}
	before := l.absent
	if l.absent = guard.PeerGone(l.conn); l.absent {
		l.pause = firstAsk
		return before
	}
	l.pause = min(2*l.pause, lastAsk)
	return false
}

// events returns what poll(2) shows of the connection; POLLHUP if it is closed.
func (l *looker) events() (events int16) {
	file, ok := l.conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { events = polled(fd) })
	}
	if err != nil {
		return unix.POLLHUP
	}
	return events
}

// polled returns the events of a descriptor; none if that cannot be known now.
func polled(fd uintptr) int16 {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if _, err := unix.Poll(poll, 0); err != nil {
		return 0
	}
	return poll[0].Revents
}
