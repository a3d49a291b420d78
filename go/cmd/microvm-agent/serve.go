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

// servePort serves the virtio-serial port called name, again when it has been
// unplugged and plugged in. It ends with ctx.
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

// visitorsMost is how many may be connected by vsock at a time.
const visitorsMost = 8

// isPort tells whether a vsock port can be that of a server: 0 and the last one
// stand for any.
func isPort(number uint64) bool { return number > 0 && number < 1<<32-1 }

// serveVsock serves everybody who connects to a vsock port. It ends with ctx.
func serveVsock(ctx context.Context, s *server.Server, number uint32) error {
	listener, err := vsock.Listen(number, nil)
	if err != nil {
		return fmt.Errorf("vsock: %w (is the module vsock loaded?)", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var visitors errgroup.Group
	visitors.SetLimit(visitorsMost)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return errors.Join(err, visitors.Wait())
		}
		visitors.Go(func() error {
			visit(ctx, s, conn)
			return nil
		})
	}
}

// visit serves one connection. How it breaks is the visitor's affair.
func visit(ctx context.Context, s *server.Server, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = s.Serve(ctx, conn)
}
