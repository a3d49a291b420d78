// Command microvm-agent is the guest agent: it runs in a guest and executes the requests of
// the host's tools. See internal/guestagent.
//
// As the first process of a guest that microvm-run --host-root has started, it also makes the
// host's files the guest's root; see internal/guestinit.
//
// There are two builds. The one for guests, with the tag "guest", is small, as the image is
// in the guest's memory: it parses the same flags with package flag.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/guestagent/server"
	"microvm-console/internal/guestinit"
)

// memoryLimit is the soft memory limit of the Go runtime, in bytes: a guest may be small. A
// long answer may take more.
const memoryLimit = 32 << 20

// options are the flags.
type options struct {
	version string
	port    string // of the virtio-serial port
	vsock   uint   // port; 0: none
	ping    string // address; "": serve
}

// The usages of the flags.
const (
	portUsage  = "serve the virtio-serial port `NAME`"
	vsockUsage = "serve the vsock `PORT` too, for every user of host and guest"
	pingUsage  = "print what the agent at `ADDRESS` is, e.g. vsock:1:5000 or unix:/run/agent, and exit"
)

// usageError is a mistake in the flags.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// dropKernelWords removes the arguments of a guest's first process: the words of the kernel's
// command line that the kernel does not know.
func dropKernelWords() {
	if guestinit.Wanted() {
		os.Args = os.Args[:1]
	}
}

// run serves, or pings, as the flags say. It returns nil once ctx is done.
func run(ctx context.Context, o options, stdout io.Writer) error {
	if o.ping != "" {
		return ping(ctx, stdout, o.ping)
	}
	if o.vsock != 0 && !isPort(uint64(o.vsock)) {
		return usage("invalid vsock port %d: must be from 1 to %d", o.vsock, uint64(1)<<32-2)
	}
	debug.SetMemoryLimit(memoryLimit)
	if guestinit.Wanted() {
		// A signal must not end the first process.
		return guestinit.Run(context.WithoutCancel(ctx), o.version, func(ctx context.Context, s *server.Server) error { return servePort(ctx, s, o.port) })
	}
	s := server.New(o.version, server.Shutdown)
	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return servePort(serving, s, o.port) })
	if o.vsock != 0 {
		group.Go(func() error { return serveVsock(serving, s, uint32(o.vsock)) })
	}
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil // a signal is the regular end
}
