package cmdline

import "github.com/urfave/cli/v2"

// ConfigFlag names the vm.json; result/bin/X passes it.
func ConfigFlag() cli.Flag {
	return &cli.StringFlag{
		Name:    "config",
		Usage:   "the machine's `FILE` (vm.json)",
		EnvVars: []string{"MICROVM_CONFIG"},
	}
}

// NameFlag picks a VM by its name.
func NameFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "name", Usage: usage}
}
