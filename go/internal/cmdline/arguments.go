package cmdline

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// NoArguments is an error unless c has none. A flag among them is named: flags
// stand before arguments.
func NoArguments(c *cli.Context) error {
	return arguments(c, 0)
}

// Arguments returns exactly n arguments of c, or an error that says what the
// program wants.
func Arguments(c *cli.Context, n int) ([]string, error) {
	if err := arguments(c, n); err != nil {
		return nil, err
	}
	return c.Args().Slice(), nil
}

// SomeArguments returns the arguments of c, of which there is at least one.
func SomeArguments(c *cli.Context) ([]string, error) {
	return Arguments(c, max(1, c.NArg()))
}

func arguments(c *cli.Context, want int) error {
	given := c.Args().Slice()
	for _, arg := range given {
		if strings.HasPrefix(arg, "-") && arg != "-" {
			return Usage("flag %q stands after an argument (flags stand before arguments)", arg)
		}
	}
	switch {
	case len(given) > want:
		return Usage("unexpected argument %q (see %s --help)", given[want], called(c))
	case len(given) < want:
		return Usage("%d argument(s) missing (usage: %s %s)", want-len(given), called(c), c.Command.ArgsUsage)
	}
	return nil
}

// called is what the user has typed to get here: the program, and its command
// where it has commands.
func called(c *cli.Context) string {
	if len(c.App.Commands) == 0 || c.Command == nil || c.Command.Name == c.App.Name {
		return c.App.Name
	}
	return c.App.Name + " " + c.Command.Name
}

// noCommand is what a program with commands does without one.
func noCommand(c *cli.Context) error {
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	known := strings.Join(names, ", ")
	if !c.Args().Present() {
		return Usage("a command is missing (one of %s; see %s --help)", known, c.App.Name)
	}
	return Usage("%q is no command (one of %s; see %s --help)", c.Args().First(), known, c.App.Name)
}
