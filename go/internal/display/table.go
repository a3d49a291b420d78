package display

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"microvm-console/internal/relay"
	"microvm-console/internal/state"
)

// Table prints VMs, each as a few lines, and then channels, for people. width is how many
// columns there are; 0: any number.
func Table(w io.Writer, all state.All, width int) error {
	var text strings.Builder
	for _, vm := range all.VMs {
		separate(&text)
		printf(&text, "%s\n", title(vm))
		consoles(&text, "CONSOLE", vm, width)
	}
	if len(all.Channels) > 0 {
		separate(&text)
		channels(&text, all.Channels, width)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// separate puts an empty line between the parts of a text.
func separate(text *strings.Builder) {
	if text.Len() > 0 {
		text.WriteByte('\n')
	}
}

// channels prints channels in one table.
func channels(w io.Writer, all []state.Machine, width int) {
	merged := state.Machine{State: state.Relaying}
	for _, channel := range all {
		merged.Consoles = append(merged.Consoles, channel.Consoles...)
	}
	consoles(w, "CHANNEL", merged, width)
}

// consoles prints the consoles of a VM, or channels, under the heading name.
func consoles(w io.Writer, name string, machine state.Machine, width int) {
	columns(w, name, machine.Consoles, width)
	clients(w, machine.Consoles)
	for _, console := range machine.Consoles {
		remarks(w, machine.State, console)
	}
	for _, note := range machine.Notes {
		printf(w, "%s: %s\n", note.Time.Local().Format("15:04:05"), note.Text)
	}
}

// title returns the line about a VM.
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
		words = append(words, fmt.Sprintf("QEMU pid %d", machine.QEMUPID))
	}
	return machine.Name + ": " + strings.Join(words, ", ")
}

// columns prints a line for each console. Where that is too wide for the terminal, the
// endpoints have lines of their own.
func columns(w io.Writer, name string, consoles []state.Console, width int) {
	rows := [][]string{{name, "DEVICE", "STATE", "BOOT", "BYTES", "CLIENTS", "LOST", "ENDPOINTS"}}
	for _, console := range consoles {
		rows = append(rows, row(console))
	}
	text := align(rows)
	if width > 0 && widest(text) > width {
		var figures, ends [][]string
		for _, cells := range rows {
			last := len(cells) - 1
			figures, ends = append(figures, cells[:last]), append(ends, []string{cells[0], cells[last]})
		}
		text = align(figures) + "\n" + align(ends)
	}
	_, _ = io.WriteString(w, text) // to a string
}

// row returns the cells of a console.
func row(console state.Console) []string {
	relay := console.Relay
	if relay == nil {
		return []string{console.Name, console.Device, "-", "-", "-", "-", "-", endpoints(console)}
	}
	is := "no QEMU"
	if relay.Attached {
		is = "running"
	}
	return []string{console.Name, console.Device, is, strconv.Itoa(relay.Boot), strconv.FormatInt(relay.End-relay.Start, 10),
		strconv.Itoa(len(relay.Clients)), lost(relay), endpoints(console)}
}

// lost returns how many bytes were lost, with a question mark for gaps of unknown size.
func lost(relay *state.Relay) string {
	bytes, unknown := relay.Lost()
	switch {
	case unknown && bytes == 0:
		return "?"
	case unknown:
		return fmt.Sprintf("%d+?", bytes)
	}
	return strconv.FormatInt(bytes, 10)
}

// align returns rows of cells as lines of text, in columns.
func align(rows [][]string) string {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	for _, cells := range rows {
		printf(t, "%s\n", cells)
	}
	_ = t.Flush() // to a string
	return text.String()
}

// widest returns the length of the longest line of a text.
func widest(text string) (length int) {
	for line := range strings.Lines(text) {
		length = max(length, utf8.RuneCountInString(line)-1)
	}
	return length
}

// endpoints returns where a console can be reached.
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

// clients prints a line for each client, if there are any.
func clients(w io.Writer, consoles []state.Console) {
	rows := [][]string{{"CLIENT OF", "NAME", "BY", "SINCE", "LAG", "TERMINAL"}}
	for _, console := range consoles {
		if console.Relay == nil {
			continue
		}
		for _, client := range console.Relay.Clients {
			rows = append(rows, []string{console.Name, client.Client, client.Kind,
				client.Since.Local().Format("15:04:05"), strconv.FormatInt(client.Lag, 10), terminal(client)})
		}
	}
	if len(rows) > 1 {
		_, _ = io.WriteString(w, "\n"+align(rows)) // to a string
	}
}

// terminal returns whether a client has a terminal, and whether it has the writer's seat.
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

// remarks prints what the user should know of a console.
func remarks(w io.Writer, is string, console state.Console) {
	relay := console.Relay
	switch {
	case relay == nil && (is == state.Starting || console.Port == 0):
		return // its relay does not run yet, or it is a channel
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
			printf(w, "%s: bytes may have been lost at offset %d (%s)\n", console.Name, gap.Offset, gap.Cause)
			continue
		}
		printf(w, "%s: %d bytes were lost at offset %d (%s)\n", console.Name, gap.Bytes, gap.Offset, gap.Cause)
	}
	if !relay.Exact {
		printf(w, "%s: bytes may be lost if the VM's owner is killed (the file system of %s cannot splice)\n", console.Name, relay.Journal)
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
// becomes printable characters alone, so that it ends no line and no column, and no
// terminal obeys it. The cells of a row are separated by tabs.
func printf(w io.Writer, format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = strings.Map(printable, arg)
		case []string:
			cells := make([]string, len(arg))
			for j, cell := range arg {
				cells[j] = strings.Map(printable, cell)
			}
			args[i] = strings.Join(cells, "\t")
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
