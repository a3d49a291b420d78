package qemu

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// Channel is a channel to which Relayed connects QEMU.
type Channel struct {
	Name   string // "serial", "com2"
	Device string // QEMU's option, such as "serial" or "monitor", or "virtconsole"
	Pipe   string // the path to which QEMU appends .in and .out; "" to leave the device unconnected
}

// Relays is the result of Relayed.
type Relays struct {
	// Args are to be added before the user's arguments, After after them: serial ports, which
	// are numbered in the order of their options.
	Args, After []string
	// Connected are the channels that Args and After connect.
	Connected []Channel
	// Taken are the channels that the user's arguments replace.
	Taken []Taken
	// Absent are the channels whose device this QEMU lacks.
	Absent []string
}

// Taken is a channel in whose place the user has connected something else.
type Taken struct {
	Channel string
	// Option is the user's option: "-serial stdio".
	Option string
}

// builtIn are the channels whose names are options of QEMU.
var builtIn = []string{"serial", "monitor", "debugcon"}

// ChardevOf returns the id of the character device of a serial port that is connected to a
// channel, for QMP's chardev-send-break.
func ChardevOf(channel string) string {
	if channel == "serial" {
		return "serial0" // QEMU's id for the first -serial
	}
	return "relay-" + channel
}

// Relayed returns the arguments that connect a QEMU to channels. program is the path or name of
// QEMU, user are the user's arguments. display is whether a window can be opened; if not, and
// user does not choose a display, the arguments include -display none.
//
// A serial port or monitor in user takes the place of a channel: the first -serial that of the
// first channel with a serial port, and so on. A file of -readconfig is ignored.
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
				args = &r.After
			}
			*args = append(*args, c.args(user)...)
		}
	}
	if !display && !choosesDisplay(user) {
		r.Args = append(r.Args, "-display", "none")
	}
	return r
}

// args returns the arguments that connect the channel.
func (c Channel) args(user []string) []string {
	if slices.Contains(builtIn, c.Name) {
		// Here QEMU does not treat commas in the path specially.
		return []string{"-" + c.Device, "pipe:" + c.Pipe}
	}
	id := ChardevOf(c.Name)
	chardev := []string{"-chardev", "pipe,id=" + id + ",path=" + strings.ReplaceAll(c.Pipe, ",", ",,")}
	if c.Device == "virtconsole" {
		return append(chardev, "-device", busOf(user)+",id=bus-"+id, "-device", "virtconsole,bus=bus-"+id+".0,chardev="+id)
	}
	return append(chardev, "-"+c.Device, "chardev:"+id)
}

// busOf returns the device that is the bus of virtio consoles: the mmio form for a microvm, which
// has no PCI, else the default form.
func busOf(user []string) string {
	for name, value := range options(user) {
		if (name == "M" || name == "machine") && strings.Contains(value, "microvm") {
			return "virtio-serial-device"
		}
	}
	return "virtio-serial"
}

// owned are the user's options that may take the place of channels.
type owned struct {
	all      []string            // all options: "-name value"
	byDevice map[string][]string // by Channel.Device
	uarts    string              // an isa-serial, which takes the place of all serial ports; or ""
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

// take returns the user's option that connects a channel or takes its place, or "". It does not
// return the same option for another channel, unless it is uarts.
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

// driverOf returns the driver in a value of -device; "" if the value is invalid.
func driverOf(value string) string {
	if strings.HasPrefix(value, "{") {
		var device struct{ Driver string }
		_ = json.Unmarshal([]byte(value), &device) // QEMU reports the error
		return device.Driver
	}
	driver, _, _ := strings.Cut(value, ",")
	return strings.TrimPrefix(driver, "driver=")
}

// choosesDisplay reports whether the user's arguments choose a display.
func choosesDisplay(user []string) bool {
	for name := range options(user) {
		switch name {
		case "display", "nographic", "vnc", "spice", "sdl", "curses":
			return true
		}
	}
	return false
}

// isX86 reports whether QEMU emulates a PC, judged by the program's name; other machines have no
// debug console. It returns true for unknown names, such as kvm.
func isX86(program string) bool {
	_, arch, ok := strings.Cut(filepath.Base(program), "qemu-system-")
	arch, _, _ = strings.Cut(arch, "-")
	return !ok || arch == "x86_64" || arch == "i386"
}
