package display

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"microvm-console/internal/relay"
	"microvm-console/internal/state"
)

// Table prints each machine as a few lines for people.
func Table(w io.Writer, machines []state.Machine) error {
	var text strings.Builder
	for i, machine := range machines {
		if i > 0 {
			text.WriteByte('\n')
		}
		printf(&text, "%s\n", title(machine))
		consoles(&text, machine)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Consoles prints the consoles of a machine without its name, for what is none:
// channels.
func Consoles(w io.Writer, all []state.Console) error {
	var text strings.Builder
	consoles(&text, state.Machine{Consoles: all})
	_, err := io.WriteString(w, text.String())
	return err
}

func consoles(w io.Writer, machine state.Machine) {
	columns(w, machine.Consoles)
	clients(w, machine.Consoles)
	for _, console := range machine.Consoles {
		remarks(w, machine.State, console)
	}
	for _, note := range machine.Notes {
		printf(w, "%s: %s\n", note.Time.Local().Format("15:04:05"), note.Text)
	}
}

// title says which machine it is.
func title(machine state.Machine) string {
	words := []string{machine.State}
	if machine.State == state.Ready {
		words[0] += fmt.Sprintf(" after %.1f s (%s)", machine.ReadySeconds, machine.ReadyBy)
	}
	if machine.Restarts > 0 {
		words = append(words, fmt.Sprintf("restarted %d times", machine.Restarts))
	}
	for _, word := range []string{machine.Machine, machine.Accel} {
		if word != "" {
			words = append(words, word)
		}
	}
	words = append(words, fmt.Sprintf("pid %d", machine.PID))
	if machine.QEMUPID != 0 {
		words = append(words, fmt.Sprintf("QEMU's %d", machine.QEMUPID))
	}
	return machine.Name + ": " + strings.Join(words, ", ")
}

// columns prints a line for each console.
func columns(w io.Writer, consoles []state.Console) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "CONSOLE\tDEVICE\tVM\tBOOT\tBYTES\tCLIENTS\tGAPS\tENDPOINTS")
	for _, console := range consoles {
		printf(t, "%s\t%s\t", console.Name, console.Device)
		if relay := console.Relay; relay != nil {
			printf(t, "%s\t%d\t%d\t%d\t%d\t%s\n", attached(relay), relay.Boot, relay.End-relay.Start,
				len(relay.Clients), len(relay.Gaps), endpoints(console))
		} else {
			printf(t, "-\t-\t-\t-\t-\t%s\n", endpoints(console))
		}
	}
	_ = t.Flush() // to a string
}

// endpoints are where a console can be reached.
func endpoints(console state.Console) string {
	var words []string
	if console.Port != 0 {
		words = append(words, fmt.Sprintf("tcp localhost:%d", console.Port))
	}
	switch {
	case len(console.Endpoints) > 0:
		words = append(words, console.Files())
	case console.Relay != nil:
		words = append(words, "unix "+console.Relay.Socket)
	}
	return strings.Join(words, ", ")
}

func attached(relay *state.Relay) string {
	if relay.Attached {
		return "attached"
	}
	return "away"
}

// clients prints a line for each client, if there are any.
func clients(w io.Writer, consoles []state.Console) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	first := true
	for _, console := range consoles {
		if console.Relay == nil {
			continue
		}
		for _, client := range console.Relay.Clients {
			if first {
				fmt.Fprintln(t, "\nCLIENT OF\tNAME\tBY\tSINCE\tBEHIND\tTERMINAL")
			}
			first = false
			printf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", console.Name, client.Client, client.Kind,
				client.Since.Local().Format("15:04:05"), client.Lag, terminal(client))
		}
	}
	_ = t.Flush() // to a string
}

// terminal tells whether a client has a terminal, and whether it has the
// writer's seat.
func terminal(client state.Client) string {
	switch {
	case client.Terminal && client.Writes:
		return "yes, it types"
	case client.Writes:
		return "no, it types"
	case client.Terminal:
		return "yes"
	}
	return "-"
}

// remarks prints what should not be so.
func remarks(w io.Writer, is string, console state.Console) {
	relay := console.Relay
	switch {
	case relay == nil && (is == state.Starting || console.Port == 0):
		return // it has none yet, or is none of QEMU's
	case relay == nil:
		printf(w, "%s: QEMU itself serves it, to one client at a time; nothing is kept\n", console.Name)
		return
	}
	missing(w, console)
	refused(w, console)
	if 0 < relay.FIFOBytes && relay.FIFOBytes < state.WholeFIFO {
		printf(w, "%s: the FIFO from QEMU holds %d bytes, not %d: this user has used up the memory for pipes (a virtio console drops what does not fit; "+
			"end other relays, or raise /proc/sys/fs/pipe-user-pages-soft)\n", console.Name, relay.FIFOBytes, state.WholeFIFO)
	}
	for _, gap := range relay.Gaps {
		if gap.Bytes == 0 {
			printf(w, "%s: bytes may be missing at offset %d (%s)\n", console.Name, gap.Offset, gap.Cause)
			continue
		}
		printf(w, "%s: %d bytes are missing at offset %d (%s)\n", console.Name, gap.Bytes, gap.Offset, gap.Cause)
	}
	if !relay.Exact {
		printf(w, "%s: bytes may be lost where the VM's owner is killed (the file system of %s cannot splice)\n", console.Name, relay.Journal)
	}
	if relay.Input > 0 {
		printf(w, "%s: %d bytes typed wait for the guest\n", console.Name, relay.Input)
	}
}

// missing prints the endpoints that are not this relay's.
func missing(w io.Writer, console state.Console) {
	for _, name := range console.Missing {
		if why, ok := console.Trouble[name]; ok {
			printf(w, "%s: %s is not this relay's: %s (do not use it; once it is removed, the relay makes its own)\n", console.Name, name, why)
			continue
		}
		printf(w, "%s: %s was removed (the relay makes it again)\n", console.Name, name)
	}
}

// refused prints how many clients could not connect.
func refused(w io.Writer, console state.Console) {
	if console.Refused > 0 {
		printf(w, "%s: port %d has refused %d clients (those of other users, and web browsers)\n", console.Name, console.Port, console.Refused)
	}
	if len(console.Relay.Clients) >= relay.MaxClients || console.Relay.Crowded > 0 {
		printf(w, "%s: it takes at most %d clients; %d have been refused\n", console.Name, relay.MaxClients, console.Relay.Crowded)
	}
}

// printf is fmt.Fprintf for what a control socket has answered: each string among args
// becomes one of printable characters alone, so that it ends no line and no column, and
// is obeyed by no terminal.
func printf(w io.Writer, format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = strings.Map(printable, text)
		}
	}
	fmt.Fprintf(w, format, args...)
}

// printable returns r, or a question mark for a character that is not printable.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}
