package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/ctl"
	"microvm-console/internal/vm"
)

// stopNow ends a VM that the checks have left running.
var stopNow = ctl.StopRequest{Force: true}

// lastLines is how many lines of each console are shown after a failure.
const lastLines = 20

// verdict turns the report and the VM's end into the program's error, and
// shows what helps to understand a failure.
func verdict(c *cli.Context, v *vm.VM, report consoletest.Report, ended error) error {
	var fate *vm.GuestError
	switch {
	case errors.As(ended, &fate):
		fate.Show(c.App.ErrWriter)
		if fate.Panic() {
			return cmdline.Status(cmdline.StatusPanic, fate)
		}
		return fate
	case report.Failed() > 0:
		for _, tail := range v.Tails(lastLines) {
			fmt.Fprintf(c.App.ErrWriter, "--- the last lines of %s (%d bytes in all)\n%s\n",
				tail.Console.Device, tail.Bytes, strings.Join(tail.Lines, "\n"))
		}
		fmt.Fprintln(c.App.ErrWriter, "---")
		return multierror.Append(ended, fmt.Errorf("%d of %d checks failed (each is told above)", report.Failed(), len(report.Results)))
	}
	return ended
}
