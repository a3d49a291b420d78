package display

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"microvm-console/internal/relay"
	"microvm-console/internal/state"
)

// Table prints VMs, each in a few lines, and then channels, for people. On a terminal, colors
// mark what is ready, what is not, and what is lost; a line that is too long is wrapped, and
// the client's name in it is cut.
func Table(w io.Writer, all state.All, screen Screen) error {
	p := &printer{screen: screen}
	for _, vm := range all.VMs {
		p.separate()
		p.title(vm)
		p.consoles("CONSOLE", vm)
	}
	if len(all.Channels) > 0 {
		p.separate()
		p.consoles("CHANNEL", merged(all.Channels))
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// merged returns channels as one machine.
func merged(channels []state.Machine) state.Machine {
	all := state.Machine{State: state.Relaying}
	for _, channel := range channels {
		all.Consoles = append(all.Consoles, channel.Consoles...)
	}
	return all
}

// consoles prints the consoles of a VM, or channels, under the heading name.
func (p *printer) consoles(name string, machine state.Machine) {
	p.columns(name, machine.Consoles)
	p.text.WriteString(forwardsAndGDB(machine))
	p.clients(machine.Consoles)
	for _, console := range machine.Consoles {
		p.remarks(machine.State, console)
	}
	for _, note := range machine.Notes {
		p.line("%s: %s", note.Time.Local().Format("15:04:05"), note.Text)
	}
}

// title prints the line about a VM.
func (p *printer) title(machine state.Machine) {
	words := []string{machine.State}
	if machine.State == state.Ready {
		words[0] += fmt.Sprintf(" after %.1f s (%s)", machine.ReadySeconds, machine.ReadyBy)
	}
	if machine.Paused && machine.GDB == "" { // else another line says it
		words = append(words, "paused")
	}
	switch {
	case machine.Restarts == 1:
		words = append(words, "restarted once")
	case machine.Restarts > 1:
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
	words[0] = machine.Name + ": " + words[0]
	for i, word := range words {
		words[i] = strings.Map(printable, word)
		if i < len(words)-1 {
			words[i] += ","
		}
	}
	line, is := p.screen.wrap(words), ": "+machine.State
	switch machine.State {
	case state.Ready:
		line = strings.Replace(line, is, ": "+p.screen.Palette.Green(machine.State), 1)
	case state.Starting, state.Booting:
		line = strings.Replace(line, is, ": "+p.screen.Palette.Yellow(machine.State), 1)
	}
	p.text.WriteString(line + "\n")
}

// columns prints a line for each console. If that is too wide for the screen, the paths of
// sockets are relative to a folder that is named once. If it is still too wide, the endpoints
// have a table of their own.
func (p *printer) columns(name string, consoles []state.Console) {
	folder := socketFolder(consoles)
	figures, names := [][]cell{texts(name, "DEVICE", "STATE", "BOOT", "BYTES", "CLIENTS", "LOST")}, [][]cell{texts(name)}
	for _, console := range consoles {
		figures, names = append(figures, p.row(console)), append(names, texts(console.Name))
	}
	layouts := []struct {
		left   [][]cell // of the endpoints
		folder string
	}{{figures, ""}, {figures, folder}, {names, ""}, {names, folder}}
	for i, layout := range layouts {
		table := withEndpoints(layout.left, consoles, layout.folder)
		if !p.fits(table) && i < len(layouts)-1 {
			continue
		}
		if len(layout.left[0]) == 1 {
			p.table(figures)
			p.separate()
		}
		p.table(table)
		if layout.folder != "" {
			p.line("Sockets are in %s", folder)
		}
		return
	}
}

// withEndpoints returns a table with another column: the endpoints of the consoles, relative to
// folder as endpoints has them.
func withEndpoints(table [][]cell, consoles []state.Console, folder string) [][]cell {
	wider := [][]cell{append(slices.Clip(table[0]), cell{text: "ENDPOINTS"})}
	for i, console := range consoles {
		wider = append(wider, append(slices.Clip(table[i+1]), cell{text: endpoints(console, folder)}))
	}
	return wider
}

// row returns the cells of a console, without its endpoints.
func (p *printer) row(console state.Console) []cell {
	relay := console.Relay
	if relay == nil {
		return texts(console.Name, console.Device, "-", "-", "-", "-", "-")
	}
	is := cell{"no QEMU", p.screen.Palette.Gray}
	if relay.Attached {
		is = cell{text: "running"}
	}
	missing := cell{text: lost(relay)}
	if missing.text != "0" {
		missing.paint = p.screen.Palette.Red
	}
	cells := append(texts(console.Name, console.Device), is)
	cells = append(cells, texts(strconv.Itoa(relay.Boot), strconv.FormatInt(relay.End-relay.Start, 10), strconv.Itoa(len(relay.Clients)))...)
	return append(cells, missing)
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

// clients prints a line for each client, if there are any.
func (p *printer) clients(consoles []state.Console) {
	const name = 1 // the column that is cut
	rows := [][]cell{texts("CLIENT OF", "NAME", "VIA", "SINCE", "LAG", "TERMINAL")}
	for _, console := range consoles {
		if console.Relay == nil {
			continue
		}
		for _, client := range console.Relay.Clients {
			rows = append(rows, texts(console.Name, client.Client, client.Kind,
				client.Since.Local().Format("15:04:05"), strconv.FormatInt(client.Lag, 10), terminal(client)))
		}
	}
	if len(rows) > 1 {
		p.separate()
		p.shrink(rows, name)
		p.table(rows)
	}
}

// terminal returns the cell that says if a client is a terminal, and if it has the writer's
// seat.
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

// remarks prints what else the user should know about a console.
func (p *printer) remarks(is string, console state.Console) {
	relay := console.Relay
	switch {
	case relay == nil && (is == state.Starting || console.Port == 0):
		return // its relay does not run yet, or it is a channel
	case relay == nil:
		p.line("%s: served by QEMU itself, to one client at a time; nothing is kept", console.Name)
		return
	}
	p.missing(console)
	p.refused(console)
	if 0 < relay.FIFOBytes && relay.FIFOBytes < state.WholeFIFO {
		p.line("%s: the FIFO from QEMU holds %d bytes, not %d: this user has used up the memory for pipes (a virtio console drops what does not fit; "+
			"end other relays, or raise /proc/sys/fs/pipe-user-pages-soft)", console.Name, relay.FIFOBytes, state.WholeFIFO)
	}
	for _, gap := range relay.Gaps {
		if gap.Bytes == 0 {
			p.red("%s: bytes may have been lost at offset %d (%s)", console.Name, gap.Offset, gap.Cause)
			continue
		}
		p.red("%s: %d bytes were lost at offset %d (%s)", console.Name, gap.Bytes, gap.Offset, gap.Cause)
	}
	if !relay.Exact {
		p.line("%s: bytes may be lost if the relay is killed (the file system of %s does not support splice)", console.Name, relay.Journal)
	}
	if relay.Input > 0 {
		p.line("%s: the guest has not read %d bytes of input", console.Name, relay.Input)
	}
}

// missing prints the endpoints that are not the relay's.
func (p *printer) missing(console state.Console) {
	for _, name := range console.Missing {
		if why, ok := console.Trouble[name]; ok {
			p.line("%s: %s is not this relay's: %s (do not use it; once it is removed, the relay makes its own)", console.Name, name, why)
			continue
		}
		p.line("%s: %s was removed (the relay makes it again)", console.Name, name)
	}
}

// refused prints how many clients were refused.
func (p *printer) refused(console state.Console) {
	if console.Refused > 0 {
		p.line("%s: port %d has refused %s of other users, or web browsers", console.Name, console.Port, clientCount(console.Refused))
	}
	if len(console.Relay.Clients) >= relay.MaxClients || console.Relay.Crowded > 0 {
		p.line("%s: at most %d clients at a time; %s refused", console.Name, relay.MaxClients, clientCount(console.Relay.Crowded))
	}
}

// clientCount returns a number of clients in words.
func clientCount(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}
