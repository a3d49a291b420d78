// Package settings is the settings file of qemu-relay: which channels there
// are, where they stand, and how much of them is kept.
//
// It is plain data. Every field may be left out; what that means is decided
// here and nowhere else, Nix included. Load tells every mistake at once.
package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are those of all channels of a user.
type Settings struct {
	// Directory is where the public endpoints stand, qemu-<channel>.in and
	// its fellows. Absolute. Default /tmp.
	Directory string `json:"directory"`
	// RetentionMiB is how much of one channel's stream is kept, in MiB, at
	// least 16: the size of a segment. Default 64.
	RetentionMiB int `json:"retentionMiB"`
	// Boots is how many boots of a channel are kept, at least 1. Default 10.
	Boots int `json:"boots"`
	// Channels by their names: lower-case letters, digits and dashes, a
	// letter first, at most 32. The three of Default are there unless they
	// are disabled; others are there once they are named.
	Channels map[string]Channel `json:"channels"`
}

// Channel is one stream from QEMU, and what is typed into it.
type Channel struct {
	// Enable tells whether the channel has a relay. Default true.
	Enable bool `json:"enable"`
	// TCP is a port on localhost. Default 0: none.
	TCP int `json:"tcp"`
	// Shared opens TCP to every user of the host. Default false: to the relay's user
	// and root.
	Shared bool `json:"shared"`
	// Input tells whether clients may type. Default true, but for debugcon,
	// which only prints.
	Input bool `json:"input"`
}

// debugcon is the one channel whose device reads nothing.
const debugcon = "debugcon"

// builtIn are the channels that need not be declared, in the order in which
// people expect them.
var builtIn = []string{"serial", "monitor", debugcon}

// Default is what an empty file means.
func Default() Settings {
	channels := map[string]Channel{}
	for _, name := range builtIn {
		channels[name] = defaultChannel(name)
	}
	return Settings{Directory: "/tmp", RetentionMiB: 64, Boots: 10, Channels: channels}
}

// defaultChannel is what declaring a channel without a word more means.
func defaultChannel(name string) Channel {
	return Channel{Enable: true, Input: name != debugcon}
}

// Channel is the channel called name, enabled or not. The error for a name
// that nobody declared lists those that are there.
func (s Settings) Channel(name string) (Channel, error) {
	channel, ok := s.Channels[name]
	if !ok {
		return Channel{}, fmt.Errorf("channel %q: is unknown (one of %s; declare others in the settings file)",
			name, strings.Join(s.all(), ", "))
	}
	return channel, nil
}

// Names are the enabled channels: serial, monitor, debugcon, then the others
// in the order of the alphabet.
func (s Settings) Names() []string {
	return slices.DeleteFunc(s.all(), func(name string) bool { return !s.Channels[name].Enable })
}

// all are the channels in the order of Names, also those that are disabled.
func (s Settings) all() []string {
	return slices.SortedFunc(maps.Keys(s.Channels), Compare)
}

// Compare orders the names of channels as Names does.
func Compare(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) }

// BuiltIn tells whether a channel need not be declared: serial, monitor, debugcon.
func BuiltIn(name string) bool { return slices.Contains(builtIn, name) }

// Device returns what a channel is connected with by its name: "serial", "monitor", "qmp"
// and "debugcon" are QEMU's options, "virtconsole" is a device. It is a serial port unless
// the name says otherwise: hvc1 is a virtio console, and a name with monitor, hmp or qmp in
// it is a monitor of QEMU.
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

// Option returns the option of QEMU's for a channel, as people read it: "-serial", "-device
// virtconsole".
func Option(name string) string {
	if device := Device(name); device != "virtconsole" {
		return "-" + device
	}
	return "-device virtconsole"
}

// controlsQEMU reports whether a channel is a monitor of QEMU.
func controlsQEMU(name string) bool { return Device(name) == "monitor" || Device(name) == "qmp" }

func rank(name string) int {
	if i := slices.Index(builtIn, name); i >= 0 {
		return i
	}
	return len(builtIn)
}
