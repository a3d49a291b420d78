package main

import (
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/vmconfig"
)

// checkCollect returns an error if the flags or QEMU's arguments contradict the field collect of
// the machine. extra are the arguments after "--".
func checkCollect(c *cli.Context, machine vmconfig.Machine, extra []string) error {
	if c.Bool("dump") && !machine.Collect {
		return cmdline.Usage(`--dump needs "collect": true in vm.json (microvm-crash --dump writes the memory of a running VM)`)
	}
	if c.Bool("exec") {
		return nil // extra is a command
	}
	if err := machine.CheckCollect(extra); err != nil {
		return cmdline.Usage("%v", err)
	}
	return nil
}
