package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"microvm-console/internal/peer"
	"microvm-console/internal/relay"
	"microvm-console/internal/unixsock"
)

// Listeners are TCP or Unix stream sockets with one name: those of a port, say, for IPv4
// and for IPv6.
type Listeners []net.Listener

// ListenUnix returns a Unix socket at path, as unixsock.Listen does.
func ListenUnix(path string) (Listeners, error) {
	listener, err := unixsock.Listen(path)
	if err != nil {
		return nil, err
	}
	return Listeners{listener}, nil
}

// keepAlive is how a peer that is silent is asked whether it is still there: one that
// has vanished while nothing is sent to it goes within a minute. What is sent and not
// acknowledged has the kernel's own limit (tcp(7), tcp_retries2: about 15 minutes).
// Not TCP_USER_TIMEOUT: it would also end a peer that is well, and has stopped
// reading.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// acceptPause is the pause before another attempt to accept if the system has run out of
// something, such as descriptors.
const acceptPause = 100 * time.Millisecond

// InPlace reports whether a Unix socket is still at its path. A port always is.
func (l Listeners) InPlace() bool {
	return !slices.ContainsFunc(l, func(l net.Listener) bool {
		socket, ok := l.(*unixsock.Listener)
		return ok && !socket.InPlace()
	})
}

// Close closes the sockets.
func (l Listeners) Close() {
	for _, listener := range l {
		listener.Close()
	}
}

// Serve serves each client that connects: this boot from its first byte, then live; and
// what comes from it is typed into the console.
func (l Listeners) Serve(ctx context.Context, r *relay.Relay) error {
	defer context.AfterFunc(ctx, l.Close)()
	var accepting sync.WaitGroup
	defer accepting.Wait()
	for _, listener := range l {
		accepting.Go(func() { accept(ctx, listener, r) })
	}
	return nil
}

// accept serves the clients of one socket until it is closed and they have left.
func accept(ctx context.Context, l net.Listener, r *relay.Relay) {
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		if peer, ok := conn.(interface {
			SetKeepAliveConfig(config net.KeepAliveConfig) error
		}); ok {
			_ = peer.SetKeepAliveConfig(keepAlive) // else the kernel has a longer limit
		}
		info := relay.ClientInfo{Name: conn.RemoteAddr().String(), Kind: l.Addr().Network()}
		client, err := r.Join(info, r.BootStart())
		if err != nil {
			if errors.Is(err, relay.ErrCrowded) {
				fmt.Fprintf(conn, "[%v]\r\n", err) // into the empty buffer of a socket: it does not wait
			}
			conn.Close()
			continue
		}
		clients.Go(func() { serve(conn, client, r) })
	}
}

// serve serves a connection until it ends.
func serve(conn net.Conn, client *relay.Client, r *relay.Relay) {
	defer client.Close()
	defer conn.Close()
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	// A client that has to leave, or has gone, is not waited for.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var typing sync.WaitGroup
	defer typing.Wait()
	typing.Go(func() {
		defer cancel()
		typeFrom(conn, r)
	})
	_ = client.CopyTo(ctx, conn) // whatever the reason, it leaves
	cancel()
}

// typeFrom types what comes from a connection. One that has only finished typing goes on
// reading; typeFrom returns when the client has gone.
func typeFrom(conn net.Conn, r *relay.Relay) {
	typist, err := r.Typist(relay.TypistInfo{})
	if err != nil {
		return // it cannot happen: no seat is asked for
	}
	defer typist.Close()
	to, from := peer.Writer{Writer: typist, Conn: conn, Gone: typist.Close}, struct{ io.Reader }{conn}
	_, _ = io.CopyBuffer(to, from, make([]byte, 4096)) // an idle client costs no more
	peer.AwaitEnd(conn)
}
