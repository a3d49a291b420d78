// Command microvm-agent is the guest agent: it runs in the guest and does what
// the host's tools ask for. See internal/guestagent.
package main

import (
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/guestagent"
	"microvm-console/internal/guestagent/server"
)

// memoryLimit makes the garbage collector work harder beyond this many bytes: a
// guest may be small. A long answer may take more.
const memoryLimit = 32 << 20

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "microvm-agent",
		Usage: "the guest agent: does in a guest what its host asks for",
		Description: `Speaks QEMU's guest agent protocol on a virtio-serial port, which it waits for.
Whoever can reach it is root in this guest: on the port that is the owner of the
VM, with --vsock it is every user of the host and of the guest.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "port", Value: guestagent.PortName, Usage: "serve the virtio-serial port called `NAME`"},
			&cli.UintFlag{Name: "vsock", Usage: "serve the vsock `PORT` as well (default: none)"},
			&cli.StringFlag{Name: "ping", Usage: "ask the agent at `ADDRESS`, as vsock:1:5000 or unix:/run/agent, what it is, and exit"},
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	if c.IsSet("ping") {
		return ping(c, c.String("ping"))
	}
	if c.IsSet("vsock") && !isPort(uint64(c.Uint("vsock"))) {
		return cmdline.Usage("vsock: %d is no port", c.Uint("vsock"))
	}
	debug.SetMemoryLimit(memoryLimit)
	s := server.New(cmdline.Version, server.Shutdown)
	group, ctx := errgroup.WithContext(c.Context)
	group.Go(func() error { return servePort(ctx, s, c.String("port")) })
	if c.IsSet("vsock") {
		group.Go(func() error { return serveVsock(ctx, s, uint32(c.Uint("vsock"))) })
	}
	if err := group.Wait(); c.Err() == nil {
		return err
	}
	return nil // told to end
}
