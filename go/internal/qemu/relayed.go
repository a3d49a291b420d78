package qemu

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// Channels are the channels of a QEMU that run-qemu starts, each called as
// QEMU's option is.
var Channels = []string{"serial", "monitor", "debugcon"}

// SerialChardev is the name of the channel serial's character device, by which
// QMP's chardev-send-break knows it.
const SerialChardev = "serial0"

// Relays is how a QEMU whose arguments are somebody else's is put on relays.
type Relays struct {
	// Args are the arguments to add. They may stand before or behind the
	// user's.
	Args []string
	// Taken are the channels for which the user has an option of his own, in the
	// order of Channels. His option wins.
	Taken []Taken
	// Absent are the channels that this QEMU does not have.
	Absent []string
}

// Taken is a channel that the user has connected elsewhere.
type Taken struct {
	Channel string
	// Option is the user's option, as it may be shown: "-serial stdio".
	Option string
}

// Connected tells whether QEMU is on a channel's relay.
func (r Relays) Connected(channel string) bool {
	return slices.Contains(r.Args, "-"+channel)
}

// Relayed connects the channels of a QEMU with their pipes. program is QEMU's
// path or name, user its other arguments, and pipe the path for each channel,
// to which QEMU adds .in and .out; a channel without a path is left alone.
// display tells whether there is a display to open a window on: if there is
// none, and the user asks for none, QEMU is told to do without.
//
// What stands in a file of -readconfig is not seen.
func Relayed(program string, user []string, display bool, pipe map[string]string) Relays {
	var r Relays
	own := ownOptions(user)
	for _, channel := range Channels {
		path, wanted := pipe[channel]
		option, taken := own[channel]
		switch {
		case !wanted:
		case taken:
			r.Taken = append(r.Taken, Taken{Channel: channel, Option: option})
		case channel == "debugcon" && !isX86(program):
			r.Absent = append(r.Absent, channel)
		default:
			// Not a path= among others: a comma in it is a comma.
			r.Args = append(r.Args, "-"+channel, "pipe:"+path)
		}
	}
	if !display && !choosesDisplay(user) {
		r.Args = append(r.Args, "-display", "none")
	}
	return r
}

// ownOptions finds the first option with which the user connects each channel.
func ownOptions(user []string) map[string]string {
	own := map[string]string{}
	for name, value := range options(user) {
		channel := name
		if name == "device" {
			channel = deviceChannel(value)
		}
		if _, ok := own[channel]; !ok && slices.Contains(Channels, channel) {
			own[channel] = "-" + name + " " + value
		}
	}
	return own
}

// deviceChannel is the channel that a value of -device stands for, or "". With
// an isa-serial of the user's, QEMU makes no first serial port of its own.
func deviceChannel(value string) string {
	driver, _, _ := strings.Cut(value, ",")
	driver = strings.TrimPrefix(driver, "driver=")
	if strings.HasPrefix(value, "{") {
		var device struct{ Driver string }
		// What is no JSON, QEMU will tell.
		_ = json.Unmarshal([]byte(value), &device)
		driver = device.Driver
	}
	switch driver {
	case "isa-serial":
		return "serial"
	case "isa-debugcon":
		return "debugcon"
	}
	return ""
}

// choosesDisplay tells whether the user says where QEMU's screen goes.
func choosesDisplay(user []string) bool {
	for name := range options(user) {
		switch name {
		case "display", "nographic", "vnc", "spice", "sdl", "curses":
			return true
		}
	}
	return false
}

// isX86 tells by QEMU's name whether it emulates a PC, which alone has a debug
// console. A program with another kind of name, as kvm, is taken for one.
func isX86(program string) bool {
	_, arch, ok := strings.Cut(filepath.Base(program), "qemu-system-")
	arch, _, _ = strings.Cut(arch, "-")
	return !ok || arch == "x86_64" || arch == "i386"
}
