package vmconfig

import (
	"fmt"
	"slices"
	"strings"
)

// crashes is the folder of crash bundles, beside those of the consoles' journals.
const crashes = "crashes"

// CheckCollect returns an error if the machine collects, and the user's arguments decide what QEMU
// does at a panic, a restart or a power-off: then the guest's memory may be lost.
func (m Machine) CheckCollect(args []string) error {
	if !m.Collect {
		return nil
	}
	for _, arg := range args {
		if slices.Contains([]string{"-no-reboot", "-no-shutdown", "-action"}, strings.Replace(arg, "--", "-", 1)) {
			return fmt.Errorf(`%s: "collect": true decides what QEMU does at a panic, a restart and a power-off (remove one of the two)`, arg)
		}
	}
	return nil
}
