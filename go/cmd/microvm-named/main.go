// Command microvm-named is the program that a VM has of its own: "demo run", "demo connect",
// "demo shutdown". Each of its commands is one of the programs in bin, with the vm.json of the VM.
//
// It is in libexec. A wrapper in bin, which has the name of the VM, passes the path of the
// vm.json as the first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/vmconfig"
)

func main() {
	if err := run(os.Args); err != nil {
		os.Args = os.Args[:1]
		cmdline.Main(&cli.App{Name: "microvm-named", Action: func(*cli.Context) error { return err }})
	}
}

// run runs the command in args, which begin with this program and the vm.json. It returns only
// if that fails.
func run(args []string) error {
	if len(args) < 2 {
		return cmdline.Usage("which vm.json? (usage: microvm-named VM.JSON COMMAND [arguments...])")
	}
	config, words := args[1], args[2:]
	machine, err := vmconfig.Load(config)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	command, ok := commandOf(words)
	if !ok {
		os.Args = append([]string{machine.Name}, words...)
		cmdline.Main(app(machine))
	}
	name := machine.Name + " " + command.Name
	os.Args = append([]string{name, "--config", config}, words[1:]...)
	if command.Program == "" {
		cmdline.Main(attach.App(name, "", ""))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program := filepath.Join(filepath.Dir(self), "..", "bin", command.Program)
	return fmt.Errorf("%s: %w", program, unix.Exec(program, os.Args, os.Environ()))
}

// commandOf returns the command that runs. ok is false if words, what the user has typed, begin
// with no command, or if a shell asks for the completions of a command's name.
func commandOf(words []string) (command cmdline.VMCommand, ok bool) {
	all := cmdline.VMCommands()
	i := slices.IndexFunc(all, func(c cmdline.VMCommand) bool { return len(words) > 0 && c.Name == words[0] })
	if i < 0 || len(words) == 2 && words[1] == cmdline.CompletionFlag {
		return cmdline.VMCommand{}, false
	}
	return all[i], true
}

// app returns the program of a VM, which describes the commands. It runs none of them.
func app(machine vmconfig.Machine) *cli.App {
	name := machine.Name
	var commands []*cli.Command
	for _, command := range cmdline.VMCommands() {
		commands = append(commands, &cli.Command{Name: command.Name, Usage: command.Usage})
	}
	return &cli.App{
		Name:  name,
		Usage: "run the microVM " + name,
		Description: "Each command is a program of microvm-console with the vm.json of this VM. " +
			name + " COMMAND\n--help describes its options and its exit statuses.",
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "N", Text: "the exit status of the command, which its --help explains"},
				{Term: "2", Text: "no such command"},
			},
			Files: []cmdline.Entry{cmdline.RuntimeFiles, cmdline.JournalFiles},
			Examples: []cmdline.Entry{
				{Term: name + " run --detach", Text: "Start the VM, and return once its guest is ready"},
				{Term: name + " connect " + machine.Consoles[0].Name, Text: "Attach a terminal to a console"},
				{Term: name + " exec -- uname -r", Text: "Run a command in the guest"},
				{Term: name + " shutdown", Text: "Stop the VM"},
			},
			SeeAlso: []string{"microvm-run(1)", "run-test(1)", "connect-serial(1)", "console-status(1)", "console-log(1)"},
		}.Metadata(),
		Commands: commands,
	}
}
