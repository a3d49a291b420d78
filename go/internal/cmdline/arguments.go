package cmdline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/candidates"
	"microvm-console/internal/suggest"
)

// NoArguments returns an error if c has arguments. The error names a flag among them: flags
// precede arguments.
func NoArguments(c *cli.Context) error {
	return arguments(c, 0)
}

// Arguments returns exactly n arguments of c, or an error that says which one is missing or
// unexpected.
func Arguments(c *cli.Context, n int) ([]string, error) {
	if err := arguments(c, n); err != nil {
		return nil, err
	}
	return c.Args().Slice(), nil
}

// SomeArguments returns the arguments of c, at least one.
func SomeArguments(c *cli.Context) ([]string, error) {
	return Arguments(c, max(1, c.NArg()))
}

func arguments(c *cli.Context, want int) error {
	given := c.Args().Slice()
	for _, arg := range given {
		if strings.HasPrefix(arg, "-") && arg != "-" {
			return Usage("flag %q follows an argument (flags precede arguments)", arg)
		}
	}
	switch {
	case len(given) > want:
		return Usage("unexpected argument %q (see %s --help)", given[want], called(c))
	case len(given) < want:
		return missing(c, len(given))
	}
	return nil
}

// missing returns the error that asks for the argument at index i, with what it can be.
func missing(c *cli.Context, i int) error {
	names := strings.Fields(c.Command.ArgsUsage)
	if len(names) == 0 {
		return Usage("missing argument (see %s --help)", called(c))
	}
	noun := strings.ToLower(strings.Trim(names[min(i, len(names)-1)], "[]."))
	if values := manualOf(c.App).Arguments[commandOf(c)]; values != nil {
		if words := texts(values(c)); len(words) > 0 {
			return Usage("which %s? (%s)", noun, strings.Join(words, ", "))
		}
	}
	return Usage("which %s? (usage: %s %s)", noun, called(c), c.Command.ArgsUsage)
}

// texts returns the words that candidates stand for, without those for files.
func texts(words []candidates.Word) []string {
	var all []string
	for _, word := range words {
		if word != candidates.Files {
			all = append(all, word.Text)
		}
	}
	return all
}

// commandOf returns the name of the command that runs; "" in a program without commands.
func commandOf(c *cli.Context) string {
	if len(c.App.Commands) == 0 || c.Command == nil || c.Command.Name == c.App.Name {
		return ""
	}
	return c.Command.Name
}

// called returns what the user has typed: the program, and its command if it has commands.
func called(c *cli.Context) string {
	return strings.TrimSpace(c.App.Name + " " + commandOf(c))
}

// noCommand is the action of a program with commands if none of them is given.
func noCommand(c *cli.Context) error {
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	all := strings.Join(names, ", ")
	if !c.Args().Present() {
		return Usage("which command? (%s; see %s --help)", all, c.App.Name)
	}
	typed := c.Args().First()
	return Usage("unknown command %q%s", typed, cmp.Or(suggest.Hint(typed, "", names), fmt.Sprintf(" (%s; see %s --help)", all, c.App.Name)))
}

// AfterDash returns the arguments that follow "--". An argument before it is an error, which
// says what follows: "QEMU's arguments follow".
func AfterDash(c *cli.Context, what string) ([]string, error) {
	args, _ := c.App.Metadata[rawArgs].([]string)
	var after []string
	if i := slices.Index(args, "--"); i >= 0 {
		after = args[i+1:]
	}
	if stray := c.NArg() - len(after); stray > 0 {
		return nil, Usage("unexpected argument %q (%s --)", c.Args().First(), what)
	}
	return after, nil
}
