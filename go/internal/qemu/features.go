package qemu

import "strings"

// Features are the features of a QEMU program that not every one has.
type Features struct {
	// Sandbox is -sandbox, which needs a QEMU built with seccomp.
	Sandbox bool `json:"sandbox"`
	// ExitWithParent is -run-with exit-with-parent=on, since QEMU 10.2.
	ExitWithParent bool `json:"exitWithParent"`
}

// sandbox is the value of -sandbox. With it, QEMU cannot start programs, change its user or raise
// its limits, even if a guest takes QEMU over; see "-sandbox" in qemu(1).
const sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

// HelpArgs returns the command line of a QEMU that prints its options and exits. With
// withSandbox, its exit status is 0 only if it supports the sandbox.
func HelpArgs(program string, withSandbox bool) []string {
	if withSandbox {
		return []string{program, "-sandbox", sandbox, "-help"}
	}
	return []string{program, "-help"}
}

// ReadHelp returns the features that are in the output of HelpArgs's command, without Sandbox.
func ReadHelp(help string) Features {
	return Features{ExitWithParent: strings.Contains(help, exitWithParent)}
}

const exitWithParent = "exit-with-parent=on"

// Bound returns the arguments with which QEMU ends when its parent does, if it supports that.
// Package process already ensures this for a child of this process.
func Bound(h Host) []string {
	if !h.Features.ExitWithParent {
		return nil
	}
	return []string{"-run-with", exitWithParent}
}
