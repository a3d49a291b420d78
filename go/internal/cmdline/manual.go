package cmdline

import (
	"cmp"
	"flag"
	"strings"

	"github.com/urfave/cli/v2"
)

// Manual is what a program says about itself for which cli.App has no field. Together with
// the app it is the only source of --help, of the manual page and of the completion.
type Manual struct {
	AfterDash string            // what follows "--", as in "QEMU's arguments follow"; "" if nothing does
	Elsewhere map[string]string // flags that another program has, and its command line
	Exit      []Entry           // exit statuses
	Files     []Entry           // files and environment variables
	Examples  []Entry           // commands; --help shows the first two
	SeeAlso   []string          // manual pages, as in "qemu-relay(1)"
	Values    map[string]Values // of flags that no other program has, by name
	Arguments map[string]Values // of arguments, by command; "" in a program without commands
}

// Entry is a term and its explanation.
type Entry struct{ Term, Text string }

// manualKey is the key under which an app's Metadata hold its Manual.
const manualKey = "microvm-console/manual"

// Metadata returns m as the Metadata of a cli.App.
func (m Manual) Metadata() map[string]any { return map[string]any{manualKey: m} }

// manualOf returns the Manual of app; the zero value if it has none.
func manualOf(app *cli.App) Manual {
	m, _ := app.Metadata[manualKey].(Manual)
	return m
}

// page is the documentation of a program or of one of its commands, ready to be written in
// any format.
type page struct {
	name        string // as typed: "qemu-relay log"
	usage       string
	synopsis    []string
	description []string // paragraphs; those that begin with a space are shown as they are
	options     []Entry
	commands    []page
	manual      Manual
}

// pageOf returns the page of a program. Its flags are complete after app.Setup.
func pageOf(app *cli.App) page {
	p := page{
		name: app.Name, usage: app.Usage, description: paragraphs(app.Description),
		options: options(app.VisibleFlags()), manual: manualOf(app),
	}
	p.synopsis = synopsis(app.UsageText, app.Name, app.ArgsUsage)
	if len(app.Commands) > 0 && app.UsageText == "" {
		p.synopsis = []string{app.Name + " COMMAND [options] [arguments...]"}
	}
	for _, command := range app.VisibleCommands() {
		p.commands = append(p.commands, p.command(command))
	}
	return p
}

// command returns the page of a command of the program with page p.
func (p page) command(c *cli.Command) page {
	name := p.name + " " + c.Name
	flags := c.VisibleFlags()
	if !c.HideHelp {
		flags = append(flags[:len(flags):len(flags)], cli.HelpFlag)
	}
	manual := Manual{SeeAlso: p.manual.SeeAlso}
	for _, example := range p.manual.Examples {
		if strings.HasPrefix(example.Term+" ", name+" ") {
			manual.Examples = append(manual.Examples, example)
		}
	}
	return page{
		name: name, usage: c.Usage, description: paragraphs(c.Description), options: options(flags),
		synopsis: synopsis(c.UsageText, name, c.ArgsUsage), manual: manual,
	}
}

// synopsis returns the lines of a program's usage: those of usageText, or one that is made of
// the rest.
func synopsis(usageText, name, arguments string) []string {
	if usageText != "" {
		return strings.Split(strings.TrimSpace(usageText), "\n")
	}
	return []string{strings.TrimSpace(name + " [options] " + arguments)}
}

func paragraphs(text string) []string {
	if text = strings.Trim(text, "\n"); text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}

// options returns the entries of flags: "--config FILE", and what it means.
func options(flags []cli.Flag) []Entry {
	var entries []Entry
	for _, one := range flags {
		known, ok := one.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		place, usage := flag.UnquoteUsage(&flag.Flag{Usage: known.GetUsage()})
		if !known.TakesValue() {
			place = ""
		}
		var terms []string
		for _, name := range known.Names() {
			terms = append(terms, strings.TrimSpace(dashed(name)+" "+place))
		}
		entries = append(entries, Entry{strings.Join(terms, ", "), usage + defaultOf(known)})
	}
	return entries
}

// dashed returns a flag as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// defaultOf returns the default value of a flag, in parentheses; "" if it is the zero value,
// of which the flag's usage says what it means.
func defaultOf(f cli.DocGenerationFlag) string {
	if vars := f.GetEnvVars(); len(vars) > 0 {
		return " (default: $" + strings.Join(vars, ", $") + ")"
	}
	if !f.TakesValue() {
		return ""
	}
	value := strings.Trim(cmp.Or(f.GetDefaultText(), f.GetValue()), `"`)
	switch value {
	case "", "0", "0s":
		return ""
	}
	if strings.HasSuffix(value, "m0s") { // a time.Duration
		value = strings.TrimSuffix(value, "0s")
	}
	return " (default: " + value + ")"
}

// The files of VMs and channels, for Manual.Files.
var (
	RuntimeFiles        = Entry{"$XDG_RUNTIME_DIR/microvm/NAME/", "the control socket, the lock and the state of a running VM (/tmp/microvm-UID/NAME/ without the variable; /run/microvm/NAME/ of a system service)"}
	JournalFiles        = Entry{"$XDG_STATE_HOME/microvm/NAME/CONSOLE/", "the journal of a console (~/.local/state without the variable; /var/lib/microvm/NAME/CONSOLE/ of a system service)"}
	ChannelRuntimeFiles = Entry{"$XDG_RUNTIME_DIR/qemu-relay/CHANNEL/", "the control socket and the locks of a channel, and the FIFOs of QEMU (/tmp/qemu-relay-UID/CHANNEL/ without the variable)"}
	ChannelJournalFiles = Entry{"$XDG_STATE_HOME/qemu-relay/CHANNEL/", "the journal of a channel"}
)
