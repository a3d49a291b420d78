// Command qemu-relay serves QEMU's channels across restarts of QEMU: one relay per channel, as
// a systemd user service or in a terminal.
package main

import (
	"github.com/urfave/cli/v2"

	"microvm-console/internal/candidates"
	"microvm-console/internal/cmdline"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "qemu-relay",
		Usage: "serve QEMU's serial, monitor and debugcon channels across restarts of QEMU",
		Description: `A channel is a stream from QEMU and the input to it: serial, monitor, debugcon, and those
that the settings declare. Its relay has the channel open before, between and after
runs of QEMU, keeps what QEMU writes, and serves it to any number of clients. run-qemu
starts QEMU with its channels connected.`,
		Metadata: cmdline.Manual{
			Elsewhere: map[string]string{
				"list":   "console-log --channel NAME --list",
				"follow": "console-log --channel NAME --follow",
				"since":  "console-log --channel NAME --since TIME",
				"tail":   "console-log --channel NAME --tail N",
			},
			Exit: []cmdline.Entry{
				{Term: "0", Text: "success"},
				{Term: "1", Text: "an error"},
				{Term: "2", Text: "wrong usage or wrong settings, or a boot that is not kept"},
				{Term: "3", Text: "status: no relay is running; log: nothing is kept"},
			},
			Files: []cmdline.Entry{
				{Term: "~/.config/qemu-relay/config.json", Text: "the settings; $QEMU_RELAY_CONFIG and --config name another file; /etc/qemu-relay/config.json if it does not exist"},
				{Term: "/tmp/qemu-CHANNEL.in, .out, .sock, .pty, .log", Text: "the public endpoints: FIFOs, a Unix socket, a terminal, and a link to the newest part of the journal"},
				cmdline.ChannelRuntimeFiles, cmdline.ChannelJournalFiles,
				{Term: "~/.config/systemd/user/qemu-CHANNEL-relay.service", Text: "the units that units --install writes"},
			},
			Examples: []cmdline.Entry{
				{Term: "qemu-relay units --install", Text: "Write the systemd user units of all channels"},
				{Term: "qemu-relay serve serial monitor", Text: "Serve two channels in a terminal"},
				{Term: "qemu-relay status", Text: "Show all channels"},
				{Term: "qemu-relay status --json serial", Text: "Print the status of a channel as JSON"},
				{Term: "qemu-relay log --boot -1 serial", Text: "Print the boot before the newest one"},
				{Term: "qemu-relay log --timestamps serial", Text: "Print the newest boot with times"},
				{Term: "qemu-relay serve --config settings.json com2", Text: "Serve a channel that own settings declare"},
				{Term: "qemu-relay units --output units", Text: "Write the units to a folder, for a package"},
			},
			SeeAlso:   []string{"run-qemu(1)", "connect-serial(1)", "console-log(1)", "console-status(1)", "systemctl(1)"},
			Arguments: map[string]cmdline.Values{"serve": channels, "status": channels, "log": channels},
			Values:    map[string]cmdline.Values{"boot": boots, "output": cmdline.Files},
		}.Metadata(),
		Commands: []*cli.Command{
			serve(),
			status(),
			log(),
			unitsCommand(),
		},
	}
}

// configFlag is the flag --config of all commands: the settings file.
func configFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "config", TakesFile: true,
		Usage: "read the settings `FILE` (default: $QEMU_RELAY_CONFIG, ~/.config/qemu-relay/config.json, /etc/qemu-relay/config.json, or no settings)",
	}
}

// channels returns the channels that can be arguments.
func channels(c *cli.Context) []candidates.Word { return candidates.Channels(c.String("config")) }

// boots returns the boots of the channel serial: --boot precedes the channel.
func boots(*cli.Context) []candidates.Word {
	return candidates.Boots(candidates.Place{Channel: "serial"})
}
