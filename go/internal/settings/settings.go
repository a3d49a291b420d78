// Package settings reads the settings file of qemu-relay: the channels, the folder of their
// endpoints, and how much of each stream is kept.
//
// The file is JSON. Every field may be left out; the defaults are defined here only, including
// for Nix. Load reports all mistakes of a file at once.
package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"microvm-console/internal/suggest"
)

// Settings are the settings of all channels of a user.
type Settings struct {
	// Directory is the absolute path of the folder of the public endpoints,
	// qemu-<channel>.in and so on. The default is /tmp.
	Directory string `json:"directory"`
	// RetentionMiB is how much of the stream of each channel is kept, in MiB: at least 16,
	// the size of a segment. The default is 64.
	RetentionMiB int `json:"retentionMiB"`
	// Boots is how many boots of each channel are kept, at least 1. The default is 10.
	Boots int `json:"boots"`
	// Channels are the channels by name: see CheckName. Those of Default are always
	// included, but may be disabled.
	Channels map[string]Channel `json:"channels"`
}

// Channel is an output stream of QEMU, and the input to it.
type Channel struct {
	// Enable reports whether the channel has a relay. The default is true.
	Enable bool `json:"enable"`
	// TCP is a port on localhost. The default is 0, no port.
	TCP int `json:"tcp"`
	// Shared admits every user of the host to the TCP port. The default is false: it
	// admits the user of the relay and root.
	Shared bool `json:"shared"`
	// Input reports whether clients may type. The default is true, except for debugcon,
	// which has no input.
	Input bool `json:"input"`
}

// debugcon is the only channel whose device has no input.
const debugcon = "debugcon"

// builtIn are the channels that need not be declared, in the order in which they are listed.
var builtIn = []string{"serial", "monitor", debugcon}

// Default returns the settings of an empty file.
func Default() Settings {
	channels := map[string]Channel{}
	for _, name := range builtIn {
		channels[name] = defaultChannel(name)
	}
	return Settings{Directory: "/tmp", RetentionMiB: 64, Boots: 10, Channels: channels}
}

// defaultChannel returns a channel that is declared without fields.
func defaultChannel(name string) Channel {
	return Channel{Enable: true, Input: name != debugcon}
}

// Channel returns the channel called name, enabled or not. The error for an unknown name
// suggests a similar one, or lists the known ones.
func (s Settings) Channel(name string) (Channel, error) {
	channel, ok := s.Channels[name]
	if !ok {
		known := fmt.Sprintf(" (known: %s; declare others in the settings file)", strings.Join(s.all(), ", "))
		return Channel{}, fmt.Errorf("unknown channel %q%s", name, cmp.Or(suggest.Hint(name, "", s.all()), known))
	}
	return channel, nil
}

// Names returns the enabled channels: serial, monitor, debugcon, then the others in
// alphabetical order.
func (s Settings) Names() []string {
	return slices.DeleteFunc(s.all(), func(name string) bool { return !s.Channels[name].Enable })
}

// all returns all channels in the order of Names, including the disabled ones.
func (s Settings) all() []string {
	return slices.SortedFunc(maps.Keys(s.Channels), Compare)
}

// Compare compares two names of channels in the order of Names.
func Compare(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) }

// BuiltIn reports whether a channel need not be declared: serial, monitor or debugcon.
func BuiltIn(name string) bool { return slices.Contains(builtIn, name) }

// Device returns the kind of QEMU device for a channel, which its name decides: "serial",
// "monitor", "qmp", "debugcon" or "virtconsole". Names that begin with hvc are virtio
// consoles, names that contain monitor, hmp or qmp are monitors of QEMU, and others are
// serial ports.
func Device(name string) string {
	switch {
	case strings.Contains(name, "qmp"):
		return "qmp"
	case strings.Contains(name, "monitor"), strings.Contains(name, "hmp"):
		return "monitor"
	case name == debugcon:
		return debugcon
	case strings.HasPrefix(name, "hvc"):
		return "virtconsole"
	}
	return "serial"
}

// Option returns the QEMU option for a channel, for display: "-serial" or "-device
// virtconsole".
func Option(name string) string {
	if device := Device(name); device != "virtconsole" {
		return "-" + device
	}
	return "-device virtconsole"
}

// controlsQEMU reports whether a channel is a monitor of QEMU.
func controlsQEMU(name string) bool { return Device(name) == "monitor" || Device(name) == "qmp" }

// rank returns the place of a channel in Names; all others have the same one.
func rank(name string) int {
	if i := slices.Index(builtIn, name); i >= 0 {
		return i
	}
	return len(builtIn)
}
