package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"microvm-console/internal/peer"
	"microvm-console/internal/relay"
	"microvm-console/internal/unixsock"
)

// Listeners are TCP or Unix stream sockets that form one endpoint, such as those of one
// port for IPv4 and IPv6.
type Listeners []net.Listener

// ListenUnix listens on a Unix socket at path; see unixsock.ListenMode.
func ListenUnix(path string, mode os.FileMode) (Listeners, error) {
	listener, err := unixsock.ListenMode(path, mode)
	if err != nil {
		return nil, err
	}
	return Listeners{listener}, nil
}

// keepAlive makes the kernel probe a silent peer, so that a peer that vanishes while
// nothing is sent to it is disconnected within a minute. Data that is not acknowledged
// has the kernel's own limit (tcp(7), tcp_retries2: about 15 minutes). TCP_USER_TIMEOUT
// is not set: it would also disconnect a healthy peer that has stopped reading.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// acceptPause is the pause before the next Accept after an error, such as too many open
// files.
const acceptPause = 100 * time.Millisecond

// InPlace reports whether a Unix socket is still at its path. It is always true for a
// port.
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

// Serve sends each client that connects the current boot from its first byte, then live
// output, and types what the client sends.
func (l Listeners) Serve(ctx context.Context, r *relay.Relay) error {
	defer context.AfterFunc(ctx, l.Close)()
	var accepting sync.WaitGroup
	defer accepting.Wait()
	for _, listener := range l {
		accepting.Go(func() { accept(listener, r) })
	}
	return nil
}

// accept serves the clients of one socket. It returns once the socket is closed and they
// have left.
func accept(l net.Listener, r *relay.Relay) {
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(acceptPause)
			continue
		}
		if peer, ok := conn.(interface {
			SetKeepAliveConfig(config net.KeepAliveConfig) error
		}); ok {
			_ = peer.SetKeepAliveConfig(keepAlive) // otherwise the kernel's longer limit applies
		}
		info := relay.ClientInfo{Name: conn.RemoteAddr().String(), Kind: l.Addr().Network()}
		client, err := r.Join(info, r.BootStart())
		if err != nil {
			if errors.Is(err, relay.ErrTooManyClients) {
				fmt.Fprintf(conn, "[%v]\r\n", err) // does not block: the socket's buffer is empty
			}
			conn.Close()
			continue
		}
		clients.Go(func() { serve(conn, l.Addr().String(), client, r) })
	}
}

// serve serves a connection to the socket at address until the connection ends.
func serve(conn net.Conn, address string, client *relay.Client, r *relay.Relay) {
	defer client.Close()
	defer conn.Close()
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	// Do not wait for a client that has to leave or has left.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var typing sync.WaitGroup
	defer typing.Wait()
	typing.Go(func() {
		defer cancel()
		typeFrom(conn, address, r)
	})
	_ = client.CopyTo(ctx, conn) // any error disconnects the client
	cancel()
}

// typeFrom types what a connection sends. A client that only shuts down its sending side
// keeps reading; typeFrom returns when the client has disconnected.
func typeFrom(conn net.Conn, address string, r *relay.Relay) {
	typist, err := r.Typist(relay.TypistInfo{Through: address})
	if err != nil {
		return // cannot happen: no seat is requested
	}
	defer typist.Close()
	to, from := peer.Writer{Writer: typist, Conn: conn, Gone: typist.Close}, struct{ io.Reader }{conn}
	_, _ = io.CopyBuffer(to, from, make([]byte, 4096)) // small, to keep idle clients cheap
	peer.AwaitEnd(conn)
}
