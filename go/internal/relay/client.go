package relay

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// client is somebody who reads: an offset into the journal.
type client struct {
	name     string
	kind     string // "tcp", "unix", "stream", "fifo", "pty"
	since    time.Time
	terminal bool
	offset   atomic.Int64
}

// ErrFinished tells that the machine has ended and nobody can join any more.
var ErrFinished = errors.New("relay: the machine has ended")

// join enters a client that will read from offset on, until leave.
func (r *Relay) join(name, kind string, terminal bool, offset int64) (*client, error) {
	c := &client{name: name, kind: kind, since: time.Now(), terminal: terminal}
	c.offset.Store(offset)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return nil, ErrFinished
	}
	r.clients.Add(1)
	r.joined = append(r.joined, c)
	return c, nil
}

func (r *Relay) leave(c *client) {
	defer r.clients.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = slices.DeleteFunc(r.joined, func(other *client) bool { return other == c })
}

// serve serves a connection until it ends: this boot from its first byte, then
// live; and what comes from it is typed into the console.
func (r *Relay) serve(conn net.Conn, c *client) {
	defer r.leave(c)
	defer conn.Close()
	ctx, cancel := context.WithCancel(r.serving)
	defer cancel()
	// A client that has been told to go, or has gone, is not waited for.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var typing sync.WaitGroup
	defer typing.Wait()
	typing.Go(func() {
		defer cancel()
		r.typed(conn)
	})
	_ = r.send(ctx, c, conn) // whatever the reason, it goes
	cancel()
}

// typed hands on what comes from a connection. One that has only finished
// typing goes on reading; typed returns when the connection has gone.
func (r *Relay) typed(conn net.Conn) {
	data := make([]byte, inputWhole)
	for {
		n, err := conn.Read(data)
		if n > 0 {
			if _, err := (guest{r}).Write(data[:n]); err != nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	waitGone(conn)
}

// waitGone waits until nobody is at the other end of conn, or it is closed.
func waitGone(conn net.Conn) {
	file, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool { // the error is that it was closed
		poll := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(poll, 0)
		return err == nil && poll[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
}
