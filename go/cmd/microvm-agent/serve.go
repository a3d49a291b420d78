package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/mdlayher/vsock"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent/port"
	"microvm-console/internal/guestagent/server"
)

// servePort serves the virtio-serial port called name until ctx is done, even after it was
// unplugged and plugged in again.
func servePort(ctx context.Context, s *server.Server, name string) error {
	for {
		p, err := port.Open(ctx, name)
		if err != nil {
			return err
		}
		closed := context.AfterFunc(ctx, func() { _ = p.Close() })
		err = s.Serve(ctx, p)
		closed()
		_ = p.Close()
		if err != nil && !errors.Is(err, unix.ENODEV) || ctx.Err() != nil {
			return err
		}
	}
}

// maxClients is how many clients may be connected by vsock at a time.
const maxClients = 8

// isPort reports whether a server can listen on a vsock port: 0 and the last one mean any
// port (vsock(7)).
func isPort(number uint64) bool { return number > 0 && number < 1<<32-1 }

// serveVsock serves each client that connects to a vsock port, until ctx is done.
func serveVsock(ctx context.Context, s *server.Server, number uint32) error {
	listener, err := vsock.Listen(number, nil)
	if err != nil {
		return fmt.Errorf("vsock: %w (is the module vsock loaded?)", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var clients errgroup.Group
	clients.SetLimit(maxClients)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return errors.Join(err, clients.Wait())
		}
		clients.Go(func() error {
			serveConn(ctx, s, conn)
			return nil
		})
	}
}

// serveConn serves one connection and closes it. An error concerns only its client.
func serveConn(ctx context.Context, s *server.Server, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = s.Serve(ctx, conn)
}
