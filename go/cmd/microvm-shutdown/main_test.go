package main

import (
	"testing"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/programtest"
	"microvm-console/internal/vm"
)

func TestMain(m *testing.M) { programtest.Main(m, app(), owner(), await()) }

func TestTranscripts(t *testing.T) { programtest.Run(t) }

// owner is the least that can own a machine: `owner --config FILE`.
func owner() *cli.App {
	return &cli.App{Name: "owner", Flags: cmdline.MachineFlags(), Action: func(c *cli.Context) error {
		machine, err := cmdline.Machine(c)
		if err != nil {
			return err
		}
		return vm.New(machine, vm.Options{AutoPorts: true}).Run(c.Context)
	}}
}

// await waits until machines run: `await NAME...`.
func await() *cli.App {
	return &cli.App{Name: "await", Action: func(c *cli.Context) error {
		for _, name := range c.Args().Slice() {
			for state := ""; state != "running"; {
				_, status, err := ctl.Find(c.Context, name)
				if err != nil {
					return err
				}
				state = status.State
			}
		}
		return nil
	}}
}
