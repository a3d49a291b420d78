// Package cmdline is the face that every program of this project shares: how
// flags are read, how an error is told, and which exit status it gives.
//
// Its promises: an error is one line per mistake on stderr, "program: what:
// why (what to do)"; the exit status is one of the Status constants; SIGINT,
// SIGTERM and SIGHUP cancel the program's context once, and a second one ends
// the program at once.
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

	"microvm-console/internal/colour"
	"microvm-console/internal/plaintext"
)

// Version is what --version prints. The build sets it with -ldflags -X.
var Version = "dev"

// rawArgs is the key under which Run keeps the program's arguments.
const rawArgs = "microvm-console/args"

// Main runs app with the arguments and signals of this process and exits with
// its status. It does not return.
func Main(app *cli.App) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	// Once the first signal has come, the default action is back: a second
	// one ends the program, and the kernel ends what it started.
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, app, os.Args, os.Stdout, os.Stderr))
}

// Run runs app with args (args[0] is the program) and returns the exit status.
// Errors are written to stderr.
func Run(ctx context.Context, app *cli.App, args []string, stdout, stderr io.Writer) int {
	prepare(app, args, stdout, stderr)
	if text, ok, err := describe(app, args[1:]); ok {
		if err != nil {
			return report(app.Name, err, stderr)
		}
		_, err = io.WriteString(stdout, text)
		return report(app.Name, err, stderr)
	}
	return report(app.Name, app.RunContext(ctx, completable(args)), stderr)
}

// prepare sets what all programs have in common.
func prepare(app *cli.App, args []string, stdout, stderr io.Writer) {
	app.Writer, app.ErrWriter = stdout, stderr
	app.Version = Version
	app.HideHelpCommand = true
	app.EnableBashCompletion = true
	app.Metadata = map[string]any{rawArgs: args}
	// The status is decided in one place, report; cli must not exit itself.
	app.ExitErrHandler = func(*cli.Context, error) {}
	usage := func(c *cli.Context, err error, _ bool) error {
		return refused(c, err)
	}
	app.OnUsageError = usage
	for _, command := range app.Commands {
		command.OnUsageError = usage
		command.CustomHelpTemplate = cli.CommandHelpTemplate // cli's choice is for commands of commands
	}
	if len(app.Commands) > 0 {
		app.Action = noCommand
	}
}

// report prints err, one line for each mistake in it, and returns its status.
func report(program string, err error, stderr io.Writer) int {
	if err == nil {
		return StatusDone
	}
	status := statusOf(err)
	for _, line := range lines(err) {
		if errors.Is(err, errQuiet) {
			break
		}
		line = program + ": " + plaintext.Line(line) // a guest's words may be in it
		if status == StatusPanic {
			line = colour.Of(stderr).Red(line)
		}
		fmt.Fprintln(stderr, line)
	}
	return status
}

// lines flattens an error into the lines that tell it.
func lines(err error) []string {
	var many *multierror.Error
	if !errors.As(err, &many) {
		return strings.Split(err.Error(), "\n") // errors.Join has a line for each
	}
	var told []string
	for _, one := range many.Errors {
		told = append(told, strings.Split(one.Error(), "\n")...)
	}
	return told
}

// AfterDash returns the arguments behind "--". An argument before it is an
// error, which says what stands there.
func AfterDash(c *cli.Context, what string) ([]string, error) {
	args, _ := c.App.Metadata[rawArgs].([]string)
	var behind []string
	if i := slices.Index(args, "--"); i >= 0 {
		behind = args[i+1:]
	}
	if stray := c.NArg() - len(behind); stray > 0 {
		return nil, Usage("unexpected argument %q (%s --)", c.Args().First(), what)
	}
	return behind, nil
}
