package qemu

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// Channel is a channel that a QEMU is to be connected with.
type Channel struct {
	Name   string // "serial", "com2"
	Device string // QEMU's option, such as "serial" or "monitor", or "virtconsole"
	Pipe   string // the path to which QEMU adds .in and .out; "": it keeps its place, and is not connected
}

// Relays is how a QEMU with arguments of the user's own is connected with relays.
type Relays struct {
	// Args are the arguments to add in front of the user's, Behind those to add behind them:
	// serial ports, which the guest has in the order of their options.
	Args, Behind []string
	// Connected are the channels that QEMU is connected with.
	Connected []Channel
	// Taken are the channels that the user has connected himself. His option wins.
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

// builtIn are the channels that are options of QEMU by their names.
var builtIn = []string{"serial", "monitor", "debugcon"}

// ChardevOf returns the name of the character device of a serial port that is connected
// with a channel, by which QMP's chardev-send-break knows it.
func ChardevOf(channel string) string {
	if channel == "serial" {
		return "serial0" // of the first -serial
	}
	return "relay-" + channel
}

// Relayed connects a QEMU with channels. program is QEMU's path or name, user its other
// arguments. display is set if there is a display to open a window on; if there is none,
// and the user asks for none, QEMU gets an option to have none.
//
// A serial port, or a monitor, of the user's own is in the place of a channel's: his first
// -serial in that of the first channel that is a serial port, and so on. A file of
// -readconfig is not looked at.
func Relayed(program string, user []string, display bool, channels []Channel) Relays {
	var r Relays
	own := ownOptions(user)
	ports := len(own.byDevice["serial"]) > 0
	for _, c := range channels {
		option := own.take(c)
		switch {
		case c.Pipe == "" && option == "":
			r.Args = append(r.Args, "-"+c.Device, "none")
		case c.Pipe == "":
		case option != "":
			r.Taken = append(r.Taken, Taken{Channel: c.Name, Option: option})
		case c.Device == "debugcon" && !isX86(program):
			r.Absent = append(r.Absent, c.Name)
		default:
			r.Connected = append(r.Connected, c)
			args := &r.Args
			if c.Device == "serial" && ports {
				args = &r.Behind
			}
			*args = append(*args, c.args(user)...)
		}
	}
	if !display && !choosesDisplay(user) {
		r.Args = append(r.Args, "-display", "none")
	}
	return r
}

// args returns the arguments that connect a channel.
func (c Channel) args(user []string) []string {
	if slices.Contains(builtIn, c.Name) {
		// Not a path= among others: a comma in it is a comma.
		return []string{"-" + c.Device, "pipe:" + c.Pipe}
	}
	id := ChardevOf(c.Name)
	chardev := []string{"-chardev", "pipe,id=" + id + ",path=" + strings.ReplaceAll(c.Pipe, ",", ",,")}
	if c.Device == "virtconsole" {
		return append(chardev, "-device", busOf(user)+",id=bus-"+id, "-device", "virtconsole,bus=bus-"+id+".0,chardev="+id)
	}
	return append(chardev, "-"+c.Device, "chardev:"+id)
}

// busOf returns the device that virtio consoles are on: on PCI or the like, but a microvm
// has none.
func busOf(user []string) string {
	for name, value := range options(user) {
		if (name == "M" || name == "machine") && strings.Contains(value, "microvm") {
			return "virtio-serial-device"
		}
	}
	return "virtio-serial"
}

// owned are the options with which the user connects what could be channels.
type owned struct {
	all      []string            // "-name value"
	byDevice map[string][]string // those in the place of a Channel.Device
	uarts    string              // an isa-serial: QEMU makes no serial ports of its own in front of it
}

func ownOptions(user []string) owned {
	own := owned{byDevice: map[string][]string{}}
	for name, value := range options(user) {
		option := "-" + name + " " + value
		own.all = append(own.all, option)
		switch {
		case name == "device" && driverOf(value) == "isa-serial":
			own.uarts = option
		case name == "device" && driverOf(value) == "isa-debugcon":
			own.byDevice["debugcon"] = append(own.byDevice["debugcon"], option)
		case name == "serial" || name == "monitor" || name == "qmp" || name == "debugcon":
			own.byDevice[name] = append(own.byDevice[name], option)
		}
	}
	return own
}

// take returns the option of the user's that connects a channel, or is in its place; "" if
// there is none.
func (o owned) take(c Channel) string {
	all := o.byDevice[c.Device]
	for _, option := range o.all {
		if c.Pipe != "" && strings.Contains(option, c.Pipe) {
			o.byDevice[c.Device] = slices.DeleteFunc(all, func(other string) bool { return other == option })
			return option
		}
	}
	if len(all) > 0 {
		o.byDevice[c.Device] = all[1:]
		return all[0]
	}
	if c.Device == "serial" {
		return o.uarts
	}
	return ""
}

// driverOf returns the driver in a value of -device; "" if QEMU refuses the value.
func driverOf(value string) string {
	if strings.HasPrefix(value, "{") {
		var device struct{ Driver string }
		_ = json.Unmarshal([]byte(value), &device) // QEMU says what is wrong
		return device.Driver
	}
	driver, _, _ := strings.Cut(value, ",")
	return strings.TrimPrefix(driver, "driver=")
}

// choosesDisplay reports whether the user says where QEMU's screen goes.
func choosesDisplay(user []string) bool {
	for name := range options(user) {
		switch name {
		case "display", "nographic", "vnc", "spice", "sdl", "curses":
			return true
		}
	}
	return false
}

// isX86 reports by QEMU's name whether it emulates a PC, which alone has a debug console. A
// program with another kind of name, such as kvm, is taken for one.
func isX86(program string) bool {
	_, arch, ok := strings.Cut(filepath.Base(program), "qemu-system-")
	arch, _, _ = strings.Cut(arch, "-")
	return !ok || arch == "x86_64" || arch == "i386"
}
