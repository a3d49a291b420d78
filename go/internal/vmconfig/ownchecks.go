package vmconfig

import (
	"fmt"
	"slices"
	"strings"
)

// The names of the checks that run-test makes of every machine. No declared check
// has one of them: reports, and --run, could not tell the two apart.
const (
	CheckStarts   = "the VM starts"
	CheckPrinted  = "what was printed while nobody was attached is there"
	CheckShutdown = "clean shutdown, nothing left behind" // where there is a login
	CheckEnds     = "the VM ends, nothing left behind"    // where there is none
	CheckEndsWell = "the VM ends well"                    // told only if it fails
)

// NumberedLines is how many lines a guest prints on each console, unless run-test is
// given another number, to see whether one of them is lost.
const NumberedLines = 100_000

// CheckLogin is the name of the check that root can log in on a device.
func CheckLogin(device string) string { return "login on " + device }

// CheckAcross is that of the check that what one console's shell writes to the device
// of another arrives there.
func CheckAcross(from, to string) string {
	return fmt.Sprintf("what %s writes to /dev/%s arrives there", from, to)
}

// CheckLines is that of the check that no line on a device is lost, of as many as
// lines.
func CheckLines(device string, lines int) string {
	return fmt.Sprintf("%d numbered lines on %s, at two clients and in the journal, beside one that never reads", lines, device)
}

// ownChecks are the names of the checks that run-test makes of the machine by itself.
func (m Machine) ownChecks() []string {
	names := []string{CheckStarts, CheckPrinted, CheckShutdown, CheckEnds, CheckEndsWell}
	for _, from := range m.Consoles {
		names = append(names, CheckLogin(from.Device), CheckLines(from.Device, NumberedLines))
		for _, to := range m.Consoles {
			names = append(names, CheckAcross(from.Device, to.Device))
		}
	}
	return names
}

// validateOwnName wants a name that is none of run-test's own, with whichever number
// of lines.
func (c Check) validateOwnName(own []string, wrong func(field, format string, args ...any)) {
	unnumbered := func(name string) string { return strings.TrimLeft(name, "0123456789") }
	isOwn := func(name string) bool { return unnumbered(name) == unnumbered(c.Name) }
	if slices.ContainsFunc(own, isOwn) {
		wrong("name", "%q is a check that run-test makes by itself (choose another name)", c.Name)
	}
}
