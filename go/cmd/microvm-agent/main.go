// Command microvm-agent is the guest agent: it runs in the guest and does what
// the host's tools ask for. See internal/guestagent.
//
// It is built twice. In the guest it has to be small, since the image is in the
// guest's memory: with the tag "guest" it reads the same flags without the library by
// which our programs describe themselves.
package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/guestagent/server"
)

// memoryLimit makes the garbage collector work harder beyond this many bytes: a
// guest may be small. A long answer may take more.
const memoryLimit = 32 << 20

// options are the flags.
type options struct {
	version string
	port    string // of the virtio-serial port
	vsock   uint   // port; 0: none
	ping    string // address; "": serve
}

// What the flags mean.
const (
	portUsage  = "serve the virtio-serial port called `NAME`"
	vsockUsage = "serve the vsock `PORT` as well, for every user of host and guest (0: none)"
	pingUsage  = "ask the agent at `ADDRESS`, as vsock:1:5000 or unix:/run/agent, what it is, and exit"
)

// usageError is a mistake in the flags.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run does what the flags say, until ctx ends.
func run(ctx context.Context, o options, stdout io.Writer) error {
	if o.ping != "" {
		return ping(ctx, stdout, o.ping)
	}
	if o.vsock != 0 && !isPort(uint64(o.vsock)) {
		return usage("vsock: %d is no port (choose one from 1 to %d)", o.vsock, uint64(1)<<32-2)
	}
	debug.SetMemoryLimit(memoryLimit)
	s := server.New(o.version, server.Shutdown)
	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return servePort(serving, s, o.port) })
	if o.vsock != 0 {
		group.Go(func() error { return serveVsock(serving, s, uint32(o.vsock)) })
	}
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil // told to end
}
