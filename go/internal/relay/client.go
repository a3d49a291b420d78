package relay

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/peer"
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

// join enters a client that will read from offset on, until leave. Beyond
// ctl.MaxClients it is ctl.ErrCrowded; a door, which has one visitor at a time, always
// has room.
func (r *Relay) join(name, kind string, terminal bool, offset int64) (*client, error) {
	c := &client{name: name, kind: kind, since: time.Now(), terminal: terminal}
	c.offset.Store(offset)
	r.mu.Lock()
	defer r.mu.Unlock()
	door := kind == outKind || kind == ptyKind
	switch {
	case r.closing:
		return nil, ErrFinished
	case !door && len(r.joined) >= ctl.MaxClients-len(r.doors):
		r.crowded++
		return nil, ctl.ErrCrowded
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

// sentGrace is how long 4 KiB of a client that may have gone wait for room: a guest that
// reads makes room sooner, and gets all that a client has sent before it closed.
const sentGrace = time.Second

// typed hands on what comes from a connection. One that has only finished
// typing goes on reading; typed returns when the client has gone.
func (r *Relay) typed(conn net.Conn) {
	typist := guest{r, func(ctx context.Context) error {
		select {
		case <-time.After(sentGrace):
			return peer.Await(ctx, conn)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	data := make([]byte, inputWhole)
	for {
		n, err := conn.Read(data)
		if n > 0 {
			if _, err := typist.Write(data[:n]); err != nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	peer.AwaitEnd(conn)
}
