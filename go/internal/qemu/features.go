package qemu

import "strings"

// Features are what a QEMU program can do that not every one can.
type Features struct {
	// Sandbox is -sandbox: it was built with seccomp.
	Sandbox bool `json:"sandbox"`
	// ExitWithParent is -run-with exit-with-parent=on: since 10.2.
	ExitWithParent bool `json:"exitWithParent"`
}

// sandbox is the value of -sandbox. QEMU and what takes it over can start no program,
// become no other user, and change no limits; see "-sandbox" in qemu(1).
const sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

// HelpArgs returns the command line of a QEMU that prints its options and exits, with
// status 0 only if it knows the sandbox's, where that is asked for.
func HelpArgs(program string, withSandbox bool) []string {
	if withSandbox {
		return []string{program, "-sandbox", sandbox, "-help"}
	}
	return []string{program, "-help"}
}

// ReadHelp reads which features what HelpArgs has printed tells of.
func ReadHelp(help string) Features {
	return Features{ExitWithParent: strings.Contains(help, exitWithParent)}
}

const exitWithParent = "exit-with-parent=on"

// Bound returns the arguments of a QEMU that ends with the process that has started it,
// where it can; the kernel ends one that is a child of ours in any case.
func Bound(h Host) []string {
	if !h.Features.ExitWithParent {
		return nil
	}
	return []string{"-run-with", exitWithParent}
}
