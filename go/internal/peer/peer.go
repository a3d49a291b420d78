// Package peer detects when the process at the other end of a connection has gone.
//
// A peer that has only shut down its sending side (shutdown(2), as "nc -N" does) has not
// gone: it may still read. A Unix socket shows the difference at once, by POLLHUP. With
// TCP, a peer that has closed looks the same as one that has shut down its sending side,
// until data is sent to it, and there may be none to send. Therefore the package searches
// the kernel's table of sockets for a process of this host that still holds the other
// end. That is sufficient because ports are only on localhost.
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
	// checkEvery is the interval at which Await checks the connection itself, which takes
	// a microsecond.
	checkEvery = 100 * time.Millisecond
	// firstSearch and lastSearch are the shortest and the longest pause between two
	// searches of the kernel's table, each of which reads the whole table.
	firstSearch, lastSearch = time.Second, 15 * time.Second
)

// Await waits until the process at the other end of conn has gone or conn is closed, and
// returns nil. If ctx is done first, it returns its cause. Await does not read from conn,
// so another goroutine may.
func Await(ctx context.Context, conn net.Conn) error {
	check := checker{conn: conn, pause: firstSearch}
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	next := time.Now().Add(check.pause)
	for !check.hungUp() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-ticker.C:
			if now.Before(next) {
				continue
			}
			if check.search() {
				return nil
			}
			next = now.Add(check.pause)
		}
	}
	return nil
}

// sentGrace is how long a Write takes before Writer checks whether the peer has gone. If
// the guest reads, the write ends sooner, and the guest gets everything that a client has
// sent before closing.
const sentGrace = time.Second

// Writer forwards what the peer of a connection has sent to another Writer, which may
// block for a long time.
type Writer struct {
	io.Writer
	Conn net.Conn
	Gone func() // called if the peer goes during a Write; must end the Write
}

// Write forwards data. If it takes longer than sentGrace and the peer goes, it calls Gone.
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

// AwaitEnd is Await for a connection whose input has ended, so that no goroutine reads
// from it any more. It sleeps until the kernel reports a change. It also returns when
// conn is closed.
func AwaitEnd(conn net.Conn) {
	file, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	check := checker{conn: conn, pause: firstSearch}
	for {
		var deadline time.Time
		if check.tcp() {
			deadline = time.Now().Add(check.pause)
		}
		if conn.SetReadDeadline(deadline) != nil {
			return // closed
		}
		err := raw.Read(func(fd uintptr) bool { return polled(fd)&(unix.POLLHUP|unix.POLLERR) != 0 })
		if !errors.Is(err, os.ErrDeadlineExceeded) || check.search() {
			return
		}
	}
}

// checker checks one connection repeatedly.
type checker struct {
	conn   net.Conn
	pause  time.Duration // until the next search of the table
	absent bool          // the last search found no process that holds the other end
}

func (c *checker) tcp() bool {
	_, tcp := c.conn.RemoteAddr().(*net.TCPAddr)
	return tcp
}

// hungUp reports whether the connection itself shows that the peer has gone.
func (c *checker) hungUp() bool { return c.events()&(unix.POLLHUP|unix.POLLERR) != 0 }

// search reports whether the table of sockets shows that a TCP peer has gone. That takes
// two searches, because the table may change while it is read, and a line may be missed.
func (c *checker) search() bool {
	if !c.tcp() || c.events()&unix.POLLRDHUP == 0 {
		return false
	}
	before := c.absent
	if c.absent = guard.PeerGone(c.conn); c.absent {
		c.pause = firstSearch
		return before
	}
	c.pause = min(2*c.pause, lastSearch)
	return false
}

// events returns the poll(2) events of the connection; POLLHUP if it is closed.
func (c *checker) events() (events int16) {
	file, ok := c.conn.(syscall.Conn)
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

// polled returns the events of a descriptor, or 0 if poll(2) fails.
func polled(fd uintptr) int16 {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if _, err := unix.Poll(poll, 0); err != nil {
		return 0
	}
	return poll[0].Revents
}
