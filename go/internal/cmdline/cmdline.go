// Package cmdline is the command line that all programs of this project share: how they read
// flags and arguments, document themselves (--help, manual page, completion) and report errors.
//
// An error is one line per mistake on stderr, "program: what: why (what to do)". The exit
// status is one of the Status constants. The first SIGINT, SIGTERM or SIGHUP cancels the
// program's context, and a second one ends the program at once.
package cmdline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"microvm-console/internal/color"
	"microvm-console/internal/plaintext"
)

// Version is the version that --version prints. The build sets it with -ldflags -X.
var Version = "dev"

// rawArgs is the key under which an app's Metadata hold the program's arguments.
const rawArgs = "microvm-console/args"

// Main runs app with the arguments and signals of this process and exits with
// its status. It does not return.
func Main(app *cli.App) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	// The first signal restores the default action: a second one ends the program, and the
	// kernel ends what it started.
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, app, os.Args, os.Stdout, os.Stderr))
}

// Run runs app with args (args[0] is the program) and returns the exit status.
// Errors are written to stderr.
func Run(ctx context.Context, app *cli.App, args []string, stdout, stderr io.Writer) int {
	app.Name = nameOf(args, app.Name)
	prepare(app, args, stdout, stderr)
	run := func(args []string) error { return app.RunContext(ctx, args) }
	if before, word, ok := completing(args); ok {
		return report(app, complete(app, before, word, run), stderr)
	}
	if text, ok, err := describe(app, args[1:]); ok {
		if err == nil {
			_, err = io.WriteString(stdout, text)
		}
		return report(app, err, stderr)
	}
	return report(app, run(args), stderr)
}

// prepare sets the fields that all programs have in common.
func prepare(app *cli.App, args []string, stdout, stderr io.Writer) {
	app.Writer, app.ErrWriter = stdout, stderr
	app.Version = Version
	app.HideHelpCommand = true
	if app.Metadata == nil {
		app.Metadata = map[string]any{}
	}
	app.Metadata[rawArgs] = args
	// report alone decides the status; cli must not exit.
	app.ExitErrHandler = func(*cli.Context, error) {}
	usage := func(c *cli.Context, err error, _ bool) error {
		return refused(c, err)
	}
	app.OnUsageError, app.Before = usage, checkValues
	for _, command := range app.Commands {
		command.OnUsageError, command.Before = usage, checkValues
	}
	switch {
	case app.Action == nil:
		app.Action = noCommand
	case onlyAfterDash(app, args):
		app.Commands = nil
	}
	app.Setup() // adds --help and --version
	setHelp(app)
	setCompletion(app)
}

// onlyAfterDash reports whether args have a "--" and no command before it. Package cli would take
// the word after it for a command.
func onlyAfterDash(app *cli.App, args []string) bool {
	dash := slices.Index(args, "--")
	return dash >= 0 && !slices.ContainsFunc(args[:dash], func(word string) bool { return app.Command(word) != nil })
}

// report prints err, one line for each mistake in it, and returns its status.
func report(app *cli.App, err error, stderr io.Writer) int {
	if err == nil {
		return StatusDone
	}
	status := statusOf(err)
	for _, line := range lines(err) {
		if errors.Is(err, errQuiet) {
			break
		}
		line = app.Name + ": " + plaintext.Line(spoken(app, line)) // it may quote a guest
		if status == StatusPanic {
			line = color.Of(stderr).Red(line)
		}
		fmt.Fprintln(stderr, line)
	}
	return status
}

// lines returns the lines of an error, one for each mistake in it.
func lines(err error) []string {
	var many *multierror.Error
	if !errors.As(err, &many) {
		return strings.Split(err.Error(), "\n") // errors.Join has a line for each
	}
	var all []string
	for _, one := range many.Errors {
		all = append(all, strings.Split(one.Error(), "\n")...)
	}
	return all
}
