// Command qemu-relay keeps QEMU's channels alive while VMs come and go: one
// relay per channel, as a systemd user service or in a terminal.
package main

import (
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "qemu-relay",
		Usage: "keep QEMU's serial, monitor and debugcon channels while VMs come and go",
		Commands: []*cli.Command{
			serve(),
			status(),
			log(),
			units(),
		},
	}
}

// configFlag names the settings file, which all commands share.
func configFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "config",
		Usage: "the settings `FILE` (default: $QEMU_RELAY_CONFIG, ~/.config/qemu-relay/config.json, /etc/qemu-relay/config.json, else none)",
	}
}
