//go:build guest

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// version is set by the build, with -ldflags -X.
var version = "dev"

func main() {
	dropKernelWords()
	o := options{version: version}
	flag.StringVar(&o.port, "port", guestagent.PortName, portUsage)
	flag.UintVar(&o.vsock, "vsock", 0, vsockUsage)
	flag.StringVar(&o.ping, "ping", "", pingUsage)
	printVersion := flag.Bool("version", false, "print the version")
	flag.CommandLine.Init("microvm-agent", flag.ContinueOnError)
	flag.CommandLine.SetOutput(io.Discard) // Parse would print the whole help for a mistake
	err := flag.CommandLine.Parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		flag.CommandLine.SetOutput(os.Stdout)
		flag.PrintDefaults()
		return
	case err != nil:
		fail(2, fmt.Errorf("%w (see microvm-agent --help)", err))
	case flag.NArg() > 0:
		fail(2, fmt.Errorf("unexpected argument %q (see microvm-agent --help)", flag.Arg(0)))
	case *printVersion:
		fmt.Println("microvm-agent version", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	var mistake usageError
	switch err := run(ctx, o, os.Stdout); {
	case errors.As(err, &mistake):
		fail(2, err)
	case err != nil:
		fail(1, err)
	}
}

// fail prints an error and exits with a status.
func fail(status int, err error) {
	fmt.Fprintf(os.Stderr, "microvm-agent: %v\n", err)
	os.Exit(status)
}
