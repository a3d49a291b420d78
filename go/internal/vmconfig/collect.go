package vmconfig

import (
	"fmt"
	"slices"
	"strings"
)

// crashes is the folder of crash bundles, beside those of the consoles' journals.
const crashes = "crashes"

// validateCollect rejects arguments of QEMU that contradict Collect.
func (m Machine) validateCollect(wrong func(field, format string, args ...any)) {
	if err := m.CheckCollect(m.QEMUArgs); err != nil {
		wrong("qemuArgs", "%v", err)
	}
}

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
