package cmdline

import (
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// A VMCommand is a command of the program that a VM has of its own: "demo run" is microvm-run
// with the vm.json of the VM demo.
type VMCommand struct {
	Name    string
	Program string // the program in bin; "" if the VM's program does it itself
	Usage   string
}

// VMCommands returns the commands of a VM's own program.
func VMCommands() []VMCommand {
	return []VMCommand{
		{"run", "microvm-run", "start the VM, in the foreground or with --detach in the background"},
		{"test", "run-test", "start the VM under another name, test its consoles, and stop it"},
		{"connect", "", "attach a terminal to a console: the one that is named, or the first one"},
		{"status", "console-status", "show the state of the VM and of its consoles"},
		{"exec", "microvm-exec", "run a command in the guest"},
		{"log", "console-log", "print what a console has printed, also after the end of the VM"},
		{"crash", "microvm-crash", "collect a crash bundle of the guest, which continues"},
		{"shutdown", "microvm-shutdown", "stop the VM"},
	}
}

// nameOf returns the name under which a program runs: "demo run" if the program of the VM demo
// runs it as its command, with that args[0], or else fallback.
func nameOf(args []string, fallback string) string {
	if len(args) == 0 || !strings.Contains(args[0], " ") || strings.Contains(args[0], "/") {
		return fallback
	}
	return args[0]
}

// wholeWord matches what may be the name of a program: not a part of a path or of a quoted text.
var wholeWord = regexp.MustCompile(`["\w/.-]+`)

// spoken returns text with the programs named as the user of app runs them: if app is a command
// of a VM's own program, microvm-shutdown is "demo shutdown".
func spoken(app *cli.App, text string) string {
	vm, _, isCommand := strings.Cut(app.Name, " ")
	if !isCommand {
		return text
	}
	names := map[string]string{"connect-serial": vm + " connect ttyS0", "connect-console": vm + " connect hvc0"}
	for _, command := range VMCommands() {
		if command.Program != "" {
			names[command.Program] = vm + " " + command.Name
		}
	}
	return wholeWord.ReplaceAllStringFunc(text, func(word string) string {
		program := strings.TrimRight(word, ".") // at the end of a sentence
		if name, ok := names[program]; ok {
			return name + strings.TrimPrefix(word, program)
		}
		return word
	})
}

// spoken returns p with its texts as the user of app reads them. The vm.json is not named: the
// VM's own program passes it.
func (p page) spoken(app *cli.App) page {
	if !strings.Contains(app.Name, " ") {
		return p
	}
	say := func(text string) string { return strings.ReplaceAll(spoken(app, text), " --config vm.json", "") }
	entries := func(all []Entry) []Entry {
		var said []Entry
		for _, entry := range all {
			said = append(said, Entry{say(entry.Term), say(entry.Text)})
		}
		return said
	}
	texts := func(all []string) []string {
		var said []string
		for _, text := range all {
			said = append(said, say(text))
		}
		return said
	}
	p.synopsis, p.description, p.options = texts(p.synopsis), texts(p.description), entries(p.options)
	p.manual.Exit, p.manual.Examples = entries(p.manual.Exit), entries(p.manual.Examples)
	for i, command := range p.commands {
		p.commands[i] = command.spoken(app)
	}
	return p
}
