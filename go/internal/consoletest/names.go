package consoletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/report"
	"microvm-console/internal/strictjson"
	"microvm-console/internal/vmconfig"
)

// The names of the checks of every machine.
const (
	nameStarts   = "the VM starts"
	namePrinted  = "output printed before the first client is there"
	nameShutdown = "clean shutdown, nothing left behind" // if there is a login
	nameEnds     = "the VM ends, nothing left behind"    // if there is none
	nameKernel   = report.NameKernel
	// NameEndsWell is the name of the check that is reported only if it fails.
	NameEndsWell = "the VM ends well"
)

// How many numbered lines the guest prints on a UART and on a virtio console by default. The
// kernel handles each line of a virtio console by itself, which takes as long as ten of a UART.
const (
	uartLines   = 100_000
	virtioLines = 20_000
)

// numbered returns how many numbered lines the guest prints on a console: as many as requested
// or, if that is 0, the console's default, in a VM with exactness. It returns 0 if the console has
// no such check.
func numbered(machine vmconfig.Machine, console vmconfig.Console, requested int) int {
	switch {
	case requested > 0:
		return requested
	case !machine.Exactness:
		return 0
	case console.IsVirtio():
		return virtioLines
	}
	return uartLines
}

// nameLogin returns the name of the check that root can log in on a device.
func nameLogin(device string) string { return "login on " + device }

// nameAcross returns the name of the check that text which a shell on one console writes to
// the device of another is printed there.
func nameAcross(from, to string) string {
	return fmt.Sprintf("what %s writes to /dev/%s arrives there", from, to)
}

// nameLines returns the name of the check that no line on a device is lost.
func nameLines(device string, lines int) string {
	return fmt.Sprintf("%d numbered lines on %s reach two clients and the journal", lines, device)
}

// CheckNames returns an error for each check of vm.json that has the name of one of this
// package: a report, and --run, could not distinguish the two. The error is a
// *multierror.Error; see vmconfig.Load.
func CheckNames(machine vmconfig.Machine) error {
	own := []string{nameStarts, namePrinted, nameShutdown, nameEnds, nameKernel, NameEndsWell}
	for _, from := range machine.Consoles {
		own = append(own, nameLogin(from.Device), nameLines(from.Device, uartLines))
		for _, to := range machine.Consoles {
			own = append(own, nameAcross(from.Device, to.Device))
		}
	}
	unnumbered := func(name string) string { return strings.TrimLeft(name, "0123456789") } // --lines changes the number
	var errs *multierror.Error
	for i, check := range machine.Checks {
		isOwn := func(name string) bool { return unnumbered(name) == unnumbered(check.Name) }
		if slices.ContainsFunc(own, isOwn) {
			errs = multierror.Append(errs, strictjson.Mistakef(fmt.Sprintf("checks[%d].name", i),
				"%q is the name of a check of run-test (choose another name)", check.Name))
		}
	}
	return errs.ErrorOrNil()
}
