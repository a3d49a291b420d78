package display

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"microvm-console/internal/state"
)

// Endpoints prints a line for each console of a VM: its device and its endpoints. If a line is
// too wide for the screen, the paths of sockets are relative to a folder that is printed once. A
// line for each forwarded port and a line about gdb follow.
func Endpoints(w io.Writer, machine state.Machine, screen Screen) error {
	text := endpointLines(machine.Consoles, "")
	if folder := socketFolder(machine.Consoles); folder != "" && !screen.holds(text) {
		text = endpointLines(machine.Consoles, folder) + "Sockets are in " + folder + "\n"
	}
	text += forwardsAndGDB(machine)
	_, err := io.WriteString(w, text)
	return err
}

// forwardsAndGDB returns a line for each forwarded port, and the command with which gdb connects
// to the VM. That line is never wrapped, since it is to be copied.
func forwardsAndGDB(machine state.Machine) string {
	var text strings.Builder
	for _, f := range machine.Forwards {
		fmt.Fprintf(&text, "forward localhost:%d -> %d/%s\n", f.Host, f.Guest, strings.Map(printable, f.Protocol))
	}
	if machine.GDB == "" {
		return text.String()
	}
	if machine.Paused {
		text.WriteString("paused, waiting for gdb: ")
	}
	fmt.Fprintf(&text, "gdb -ex 'target remote %s' vmlinux\n", strings.Map(printable, machine.GDB))
	return text.String()
}

// endpointLines returns the lines of Endpoints. The paths of sockets are relative to folder,
// unless that is "".
func endpointLines(consoles []state.Console, folder string) string {
	var text strings.Builder
	width := 6
	for _, console := range consoles {
		width = max(width, len(console.Device))
	}
	for _, console := range consoles {
		fmt.Fprintf(&text, "%-8s %-*s %s\n", console.Name, width, console.Device, endpoints(console, folder))
	}
	return text.String()
}

// holds reports whether each line of text fits the screen.
func (s Screen) holds(text string) bool {
	for line := range strings.Lines(text) {
		if s.Columns > 0 && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > s.Columns {
			return false
		}
	}
	return true
}

// socketFolder returns the folder of the machine whose consoles have their sockets in folders of
// their own; "" without such a folder.
func socketFolder(consoles []state.Console) (folder string) {
	for _, console := range consoles {
		if console.Relay == nil || len(console.Endpoints) > 0 {
			continue
		}
		of := filepath.Dir(filepath.Dir(console.Relay.Socket))
		if folder != "" && of != folder || of == "/" || of == "." {
			return ""
		}
		folder = of
	}
	return folder
}

// endpoints returns the endpoints of a console. The path of a socket is relative to folder,
// unless that is "".
func endpoints(console state.Console, folder string) string {
	var words []string
	if console.Port != 0 {
		words = append(words, fmt.Sprintf("tcp localhost:%d", console.Port))
	}
	switch {
	case len(console.Endpoints) > 0:
		words = append(words, console.Files())
	case console.Relay != nil && folder != "":
		words = append(words, "unix "+strings.TrimPrefix(console.Relay.Socket, folder+"/"))
	case console.Relay != nil:
		words = append(words, "unix "+console.Relay.Socket)
	}
	return strings.Join(words, ", ")
}
