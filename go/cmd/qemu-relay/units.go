package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/settings"
	"microvm-console/internal/systemd"
)

func units() *cli.Command {
	return &cli.Command{
		Name:  "units",
		Usage: "print or install the systemd user units of the enabled channels",
		Description: `Prints the units, or writes them to the folder of --install or --output. Units of
qemu-relay for channels that are no longer enabled are removed from there. With wrong
settings nothing is written, and the exit status is 2.`,
		Flags: []cli.Flag{
			configFlag(),
			&cli.StringFlag{Name: "program", Usage: "use the `PATH` of qemu-relay in the units (default: as it was called)", TakesFile: true},
			&cli.BoolFlag{Name: "install", Usage: "write the units to ~/.config/systemd/user ($XDG_CONFIG_HOME)"},
			&cli.StringFlag{Name: "output", Usage: "write the units to the folder `DIR`, for a package"},
		},
		Action: makeUnits,
	}
}

func makeUnits(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	install, output := c.Bool("install"), c.String("output")
	if install && c.IsSet("output") {
		return cmdline.Usage("--install and --output exclude each other (use one of them)")
	}
	all, err := enabledUnits(c.String("config"), c.String("program"))
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	switch {
	case install:
		dir, err := os.UserConfigDir()
		if err != nil {
			return cmdline.Status(cmdline.StatusUsage, fmt.Errorf("install: %w", err))
		}
		changes, err := systemd.Install(filepath.Join(dir, "systemd", "user"), all)
		printChanges(c.App.Writer, changes)
		if err != nil {
			return err
		}
		printNext(c.App.Writer, all, changes)
		return nil
	case c.IsSet("output"):
		if output == "" {
			return cmdline.Usage("output: is missing (use --output DIR)")
		}
		changes, err := systemd.Install(output, all)
		printChanges(c.App.Writer, changes)
		return err
	}
	for i, unit := range all {
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		fmt.Fprintf(c.App.Writer, "# %s\n%s", unit.Name(), unit.Text())
	}
	return nil
}

// enabledUnits returns the units of the channels that the settings enable. config and program
// are the flags; "" if they are not set.
func enabledUnits(config, program string) ([]systemd.Unit, error) {
	found, path, err := settings.Find(config)
	if err != nil {
		return nil, err
	}
	if path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	// Not /proc/self/exe: a link stays valid when its target is replaced.
	program, err = exec.LookPath(cmp.Or(program, os.Args[0]))
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	var all []systemd.Unit
	for _, name := range found.Names() {
		all = append(all, systemd.Unit{Channel: name, Program: program, Config: path})
	}
	return all, all[0].Validate() // all have the same program, and there is at least one
}

// printChanges prints what was done to each file.
func printChanges(out io.Writer, changes systemd.Changes) {
	for _, list := range []struct {
		word  string
		paths []string
	}{
		{"removed", changes.Removed}, {"wrote", changes.Written}, {"replaced", changes.Replaced}, {"unchanged", changes.Unchanged},
	} {
		for _, path := range list.paths {
			fmt.Fprintf(out, "%s %s\n", list.word, path)
		}
	}
}

// printNext prints the commands that the user needs next.
func printNext(out io.Writer, all []systemd.Unit, changes systemd.Changes) {
	systemctl := func(verb string, paths []string) {
		if verb != "daemon-reload" && len(paths) == 0 {
			return
		}
		words := []string{"systemctl", "--user", verb}
		for _, path := range paths {
			words = append(words, filepath.Base(path))
		}
		fmt.Fprintf(out, "  %s\n", strings.Join(words, " "))
	}
	var names []string
	for _, unit := range all {
		names = append(names, unit.Name())
	}
	fmt.Fprintln(out, "\nNext:")
	systemctl("stop", changes.Removed)
	systemctl("daemon-reload", nil)
	systemctl("enable --now", names)
	systemctl("try-restart", changes.Replaced)
	fmt.Fprintln(out, "and, to keep the relays after you log out:\n  loginctl enable-linger")
}
