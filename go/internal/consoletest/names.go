package consoletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/vmconfig"
)

// The names of the checks of every machine.
const (
	nameStarts   = "the VM starts"
	namePrinted  = "output printed before the first client is there"
	nameShutdown = "clean shutdown, nothing left behind" // if there is a login
	nameEnds     = "the VM ends, nothing left behind"    // if there is none
	nameKernel   = "the kernel's log is clean"
	// NameEndsWell is the name of the check that is reported only if it fails.
	NameEndsWell = "the VM ends well"
)

// DefaultLines is how many numbered lines the guest prints on each console by default.
const DefaultLines = 100_000

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
		own = append(own, nameLogin(from.Device), nameLines(from.Device, DefaultLines))
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
