// Package units is the command "units" of the programs that run as services: it prints unit files,
// or writes them to a folder and prints the commands that follow.
package units

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
	"microvm-console/internal/systemd"
)

// Flags returns the flags of the command, for units of program. installed is where --install
// writes them.
func Flags(program, installed string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "program", Usage: "use the `PATH` of " + program + " in the units (default: as it was called)", TakesFile: true},
		&cli.BoolFlag{Name: "install", Usage: "write the units to " + installed},
		&cli.StringFlag{Name: "output", Usage: "write the units to the folder `DIR`, for a package"},
	}
}

// Check returns an error if the flags contradict each other, or there are arguments.
func Check(c *cli.Context) error {
	switch {
	case c.Bool("install") && c.IsSet("output"):
		return cmdline.Usage("--install and --output exclude each other (use one of them)")
	case c.IsSet("output") && c.String("output") == "":
		return cmdline.Usage("output: is missing (use --output DIR)")
	}
	return cmdline.NoArguments(c)
}

// Program returns the absolute path of the program for the units: that of --program, or of this
// program as it was called.
func Program(c *cli.Context) (string, error) {
	// Not /proc/self/exe: a link stays valid when its target is replaced.
	program, err := exec.LookPath(cmp.Or(c.String("program"), os.Args[0]))
	if err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	return filepath.Abs(program)
}

// Folder returns the folder of the units that this user adds, or the administrator for the
// system.
func Folder(system bool) (string, error) {
	if system {
		return "/etc/systemd/system", nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", cmdline.Status(cmdline.StatusUsage, fmt.Errorf("install: %w", err))
	}
	return filepath.Join(dir, "systemd", "user"), nil
}

// Set is what a program makes.
type Set struct {
	Units  []systemd.Unit // at least one
	System bool           // they are for the system, not for a user
	// Stale reports whether a unit of the same maker that is not in Units is to be removed.
	Stale func(name string) bool
	// Last is printed after the commands that follow --install; "" for nothing.
	Last string
}

// Make prints the units, or writes them to the folder of --install or --output.
func (s Set) Make(c *cli.Context) error {
	w := c.App.Writer
	switch {
	case c.Bool("install"):
		dir, err := Folder(s.System)
		if err != nil {
			return err
		}
		changes, err := systemd.Install(dir, s.Units, s.Stale)
		printChanges(w, changes)
		if err != nil {
			return err
		}
		s.printNext(w, changes)
		return nil
	case c.IsSet("output"):
		changes, err := systemd.Install(c.String("output"), s.Units, s.Stale)
		printChanges(w, changes)
		return err
	}
	for i, unit := range s.Units {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "# %s\n%s", unit.Name, unit.Text())
	}
	return nil
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
func (s Set) printNext(out io.Writer, changes systemd.Changes) {
	systemctl := func(verb string, paths []string) {
		if verb != "daemon-reload" && len(paths) == 0 {
			return
		}
		words := []string{"systemctl", "--user", verb}
		if s.System {
			words = []string{"systemctl", verb}
		}
		for _, path := range paths {
			words = append(words, filepath.Base(path))
		}
		fmt.Fprintf(out, "  %s\n", strings.Join(words, " "))
	}
	var names []string
	for _, unit := range s.Units {
		names = append(names, unit.Name)
	}
	fmt.Fprintln(out, "\nNext:")
	systemctl("stop", changes.Removed)
	systemctl("daemon-reload", nil)
	systemctl("enable --now", names)
	systemctl("try-restart", changes.Replaced)
	if s.Last != "" {
		fmt.Fprintln(out, s.Last)
	}
}
