//go:build !guest

package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/guestagent"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "microvm-agent",
		Usage: "the guest agent: does in a guest what its host asks for",
		Description: `Speaks QEMU's guest agent protocol on a virtio-serial port, which it waits for.
Whoever can reach it is root in this guest: on the port that is the owner of the
VM, with --vsock it is every user of the host and of the guest.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "port", Value: guestagent.PortName, Usage: portUsage},
			&cli.UintFlag{Name: "vsock", Usage: vsockUsage},
			&cli.StringFlag{Name: "ping", Usage: pingUsage},
		},
		Action: action,
	}
}

func action(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	o := options{version: cmdline.Version, port: c.String("port"), vsock: c.Uint("vsock"), ping: c.String("ping")}
	err := run(c.Context, o, c.App.Writer)
	var mistake usageError
	if errors.As(err, &mistake) {
		return cmdline.Usage("%w", mistake)
	}
	return err
}
