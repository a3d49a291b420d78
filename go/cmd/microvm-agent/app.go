//go:build !guest

package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/guestagent"
)

func main() {
	dropKernelWords()
	cmdline.Main(app())
}

func app() *cli.App {
	return &cli.App{
		Name:  "microvm-agent",
		Usage: "run in a guest and execute the requests of its host",
		Description: `Speaks QEMU's guest agent protocol on a virtio-serial port, and waits for that port.
Every client of the agent has root's rights in the guest: on the port that is the
owner of the VM, with --vsock every user of the host and of the guest.`,
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "0", Text: "success, or ended by a signal"},
				{Term: "1", Text: "an error; with --ping: no agent answers"},
				{Term: "2", Text: "wrong usage"},
			},
			Files: []cmdline.Entry{{Term: "/dev/virtio-ports/" + guestagent.PortName, Text: "the virtio-serial port, in the guest"}},
			Examples: []cmdline.Entry{
				{Term: "microvm-agent", Text: "Serve the host, in a guest's init"},
				{Term: "microvm-agent --ping vsock:1:5000", Text: "Ask the agent of this guest for its version"},
			},
			SeeAlso: []string{"microvm-exec(1)", "microvm-shutdown(1)", "qemu-ga(8)"},
		}.Metadata(),
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
