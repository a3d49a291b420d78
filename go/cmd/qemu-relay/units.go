package main

import (
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/settings"
	"microvm-console/internal/systemd"
	"microvm-console/internal/units"
)

func unitsCommand() *cli.Command {
	return &cli.Command{
		Name:  "units",
		Usage: "print or install the systemd user units of the enabled channels",
		Description: `Prints the units, or writes them to the folder of --install or --output. Units of
qemu-relay for channels that are no longer enabled are removed from there. With wrong
settings nothing is written, and the exit status is 2.`,
		Flags:  append([]cli.Flag{configFlag()}, units.Flags("qemu-relay", "~/.config/systemd/user ($XDG_CONFIG_HOME)")...),
		Action: makeUnits,
	}
}

func makeUnits(c *cli.Context) error {
	if err := units.Check(c); err != nil {
		return err
	}
	all, err := enabledUnits(c)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	return units.Set{
		Units: all,
		Stale: func(name string) bool {
			return strings.HasPrefix(name, "qemu-") && strings.HasSuffix(name, "-relay.service")
		},
		Last: "and, to keep the relays after you log out:\n  loginctl enable-linger",
	}.Make(c)
}

// enabledUnits returns the units of the channels that the settings enable.
func enabledUnits(c *cli.Context) ([]systemd.Unit, error) {
	found, path, err := settings.Find(c.String("config"))
	if err != nil {
		return nil, err
	}
	if path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	program, err := units.Program(c)
	if err != nil {
		return nil, err
	}
	var all []systemd.Unit
	for _, name := range found.Names() {
		all = append(all, systemd.Relay{Channel: name, Program: program, Config: path}.Unit())
	}
	return all, all[0].Validate() // all have the same program, and there is at least one
}
