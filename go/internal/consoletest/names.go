package consoletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/vmconfig"
)

// The names of the checks that run-test makes of every machine.
const (
	nameStarts   = "the VM starts"
	namePrinted  = "what was printed while nobody was attached is there"
	nameShutdown = "clean shutdown, nothing left behind" // if there is a login
	nameEnds     = "the VM ends, nothing left behind"    // if there is none
	// NameEndsWell is the name of the check that is reported only if it fails.
	NameEndsWell = "the VM ends well"
)

// DefaultLines is how many lines a guest prints on each console to see whether one of
// them is lost.
const DefaultLines = 100_000

// nameLogin is the name of the check that root can log in on a device.
func nameLogin(device string) string { return "login on " + device }

// nameAcross is the name of the check that what the shell of one console writes to the
// device of another arrives there.
func nameAcross(from, to string) string {
	return fmt.Sprintf("what %s writes to /dev/%s arrives there", from, to)
}

// nameLines is the name of the check that no line on a device is lost.
func nameLines(device string, lines int) string {
	return fmt.Sprintf("%d numbered lines on %s, at two clients and in the journal, beside one that never reads", lines, device)
}

// CheckNames reports each check in a machine's vm.json that has the name of one of
// run-test's own: a report, and --run, could not distinguish the two. Its error is a
// *multierror.Error; see vmconfig.Load.
func CheckNames(machine vmconfig.Machine) error {
	own := []string{nameStarts, namePrinted, nameShutdown, nameEnds, NameEndsWell}
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
				"%q is a check that run-test makes by itself (choose another name)", check.Name))
		}
	}
	return errs.ErrorOrNil()
}
