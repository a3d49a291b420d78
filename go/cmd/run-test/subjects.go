package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/vmconfig"
)

// subject is a machine that is tested.
type subject struct {
	name  string // the machine's, or, if an argument before has the same, with a number
	given vmconfig.Machine
}

// subjects returns the machines of the arguments, or that of --config. The error has the mistakes
// of all.
func subjects(c *cli.Context) ([]subject, error) {
	files, err := cmdline.Arguments(c, c.NArg())
	if err != nil {
		return nil, err
	}
	rules := []func(vmconfig.Machine) error{consoletest.CheckNames}
	if !c.Bool("list") {
		rules = append(rules, checkFiles)
	}
	if len(files) == 0 {
		machine, err := cmdline.Machine(c, rules...)
		return []subject{{machine.Name, machine}}, err
	}
	var all []subject
	var errs *multierror.Error
	for _, file := range files {
		machine, err := cmdline.MachineOf(c, file, rules...)
		if many := (*multierror.Error)(nil); errors.As(err, &many) {
			err = many // a line for each mistake
		}
		errs = multierror.Append(errs, err)
		all = append(all, subject{unused(all, machine.Name), machine})
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, cmdline.Status(cmdline.StatusUsage, err)
	}
	return all, checkTogether(c, all)
}

// unused returns name, with a number if a subject has it.
func unused(all []subject, name string) string {
	free := name
	for n := 2; slices.ContainsFunc(all, func(s subject) bool { return s.name == free }); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// checkTogether returns an error if the machines cannot run beside each other.
func checkTogether(c *cli.Context, all []subject) error {
	if c.IsSet("name") && (len(all) > 1 || together(c, all)) {
		return cmdline.Usage("name: several VMs cannot have the same name (leave out --name)")
	}
	if !together(c, all) {
		return nil
	}
	taken := map[int]string{}
	for _, one := range all {
		if one.given.Vsock == nil {
			continue
		}
		cid := one.given.Vsock.CID
		if other, ok := taken[cid]; ok {
			return cmdline.Usage("jobs: %s and %s have the same vsock.cid, %d (change one, or leave out --jobs)", other, one.name, cid)
		}
		if c.Int("repeat") > 1 {
			return cmdline.Usage("jobs: %s has vsock.cid %d, which only one VM can have (leave out --jobs)", one.name, cid)
		}
		taken[cid] = one.name
	}
	return nil
}

// together reports whether several VMs run at the same time.
func together(c *cli.Context, all []subject) bool {
	return min(c.Int("jobs"), c.Int("repeat")*len(all)) > 1
}

// file returns what an error calls the vm.json of s.
func (s subject) file(c *cli.Context) string {
	if c.NArg() > 1 {
		return "the vm.json of " + s.name
	}
	return "vm.json"
}

// of returns the words " of NAME" if there are several subjects.
func (s subject) of(c *cli.Context) string {
	if c.NArg() > 1 {
		return " of " + s.name
	}
	return ""
}

// machine returns the machine of a run, which is the one with this number among all runs of the
// series, with a name that no other run has. If it runs beside others, all forwarded ports are free
// ones: QEMU takes a port later than it is reserved.
func (s subject) machine(c *cli.Context, number int, several, beside bool) vmconfig.Machine {
	machine := s.given
	if !c.IsSet("name") {
		if !several {
			number = 0
		}
		machine.Name = testName(s.given.Name, os.Getpid(), number)
	}
	if network := machine.Network; beside && network != nil {
		free := *network
		free.Forward = slices.Clone(network.Forward)
		for i := range free.Forward {
			free.Forward[i].Host = 0
		}
		machine.Network = &free
	}
	return machine
}

// testName returns a machine name that no other test has. run is among all runs of this process; 0 if
// there is one.
func testName(name string, pid, run int) string {
	suffix := fmt.Sprintf("-test-%d", pid)
	if run > 0 {
		suffix += fmt.Sprintf("-%d", run)
	}
	return name[:min(len(name), vmconfig.MaxName-len(suffix))] + suffix
}
