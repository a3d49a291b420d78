package qemu_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/qemu"
)

// pipes are the paths that the tests of Relayed connect.
var pipes = map[string]string{"serial": "/run/serial/vm", "monitor": "/run/monitor/vm", "debugcon": "/run/debugcon/vm"}

const (
	onSerial   = "-serial pipe:/run/serial/vm"
	onMonitor  = "-monitor pipe:/run/monitor/vm"
	onDebugcon = "-debugcon pipe:/run/debugcon/vm"
	onAll      = onSerial + " " + onMonitor + " " + onDebugcon
)

func TestRelayedConnectsWhatTheUserHasNot(t *testing.T) {
	serialIs := func(option string) []qemu.Taken { return []qemu.Taken{{Channel: "serial", Option: option}} }
	monitorIs := func(option string) []qemu.Taken { return []qemu.Taken{{Channel: "monitor", Option: option}} }
	debugconIs := func(option string) []qemu.Taken { return []qemu.Taken{{Channel: "debugcon", Option: option}} }
	const noSerial, noMonitor, noDebugcon = onMonitor + " " + onDebugcon, onSerial + " " + onDebugcon, onSerial + " " + onMonitor
	tests := []struct {
		name  string
		user  []string
		args  string
		taken []qemu.Taken
	}{
		{"nothing of the user's", nil, onAll, nil},
		{"the document's example", []string{"-smp", "4", "-enable-kvm", "-cpu", "host"}, onAll, nil},
		{"-serial", []string{"-serial", "stdio"}, noSerial, serialIs("-serial stdio")},
		{"--serial", []string{"--serial", "none"}, noSerial, serialIs("-serial none")},
		{"the first of two", []string{"-serial", "stdio", "-serial", "null"}, noSerial, serialIs("-serial stdio")},
		{"a monitor behind the serial port", []string{"-serial", "mon:stdio"}, noSerial, serialIs("-serial mon:stdio")},
		{"-device isa-serial", []string{"-device", "isa-serial,chardev=mine"}, noSerial, serialIs("-device isa-serial,chardev=mine")},
		{"-device of another serial port", []string{"-device", "pci-serial,chardev=mine"}, onAll, nil},
		{"-monitor", []string{"-monitor", "none"}, noMonitor, monitorIs("-monitor none")},
		{"-qmp is beside the monitor", []string{"-qmp", "unix:/run/qmp,server=on,wait=off"}, onAll, nil},
		{"-mon is beside the monitor", []string{"-chardev", "socket,id=m,path=/run/m", "-mon", "chardev=m,mode=control"}, onAll, nil},
		{"-debugcon", []string{"-debugcon", "file:debug.log"}, noDebugcon, debugconIs("-debugcon file:debug.log")},
		{"-device isa-debugcon", []string{"-device", "isa-debugcon,iobase=0x402,chardev=d"}, noDebugcon, debugconIs("-device isa-debugcon,iobase=0x402,chardev=d")},
		{"-device with its driver named", []string{"-device", "driver=isa-debugcon,chardev=d"}, noDebugcon, debugconIs("-device driver=isa-debugcon,chardev=d")},
		{"-device in JSON", []string{"-device", `{"chardev":"d","driver":"isa-debugcon"}`}, noDebugcon, debugconIs(`-device {"chardev":"d","driver":"isa-debugcon"}`)},
		{"-device in broken JSON", []string{"-device", `{"driver":`}, onAll, nil},
		{"only the port is moved", []string{"-global", "isa-debugcon.iobase=0x402"}, onAll, nil},
		{"-nographic", []string{"-nographic"}, onAll, nil},
		{"-chardev is no option of a channel", []string{"-chardev", "stdio,id=serial"}, onAll, nil},
		{"a value that looks like an option", []string{"-append", "-serial", "-name", "--monitor"}, onAll, nil},
		{"an option behind one without a value", []string{"-S", "-serial", "stdio", "-s", "-monitor", "none"}, onDebugcon,
			append(serialIs("-serial stdio"), monitorIs("-monitor none")...)},
		{"a disk before an option", []string{"disk.img", "-debugcon", "stdio"}, noDebugcon, debugconIs("-debugcon stdio")},
		{"the value is missing", []string{"-serial"}, noSerial, serialIs("-serial ")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := qemu.Relayed("qemu-system-x86_64", test.user, true, pipes)
			want := qemu.Relays{Args: strings.Fields(test.args), Taken: test.taken}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, channel := range qemu.Channels {
				if got, want := got.Connected(channel), strings.Contains(test.args, "-"+channel+" "); got != want {
					t.Errorf("Connected(%q) is %t", channel, got)
				}
			}
		})
	}
}

func TestRelayedNeedsNoDisplay(t *testing.T) {
	tests := []struct {
		name    string
		user    string
		display bool
		want    string
	}{
		{"there is one", "", true, onAll},
		{"there is none", "", false, onAll + " -display none"},
		{"the user wants one all the same", "-display gtk", false, onAll},
		{"-vnc", "-vnc :1", false, onAll},
		{"-spice", "--spice port=5900", false, onAll},
		{"-nographic", "-m 1G -nographic", false, onAll},
		{"-curses", "-curses", false, onAll},
		{"only a value", "-name -vnc", false, onAll + " -display none"},
		{"a graphics card is no display", "-vga std", false, onAll + " -display none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := qemu.Relayed("qemu-system-x86_64", strings.Fields(test.user), test.display, pipes)
			if diff := cmp.Diff(strings.Fields(test.want), got.Args); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayedKnowsWhoHasADebugConsole(t *testing.T) {
	tests := map[string]bool{
		"qemu-system-x86_64":                      true,
		"/usr/bin/qemu-system-i386":               true,
		"/opt/bin/.qemu-system-x86_64-wrapped":    true,
		"/usr/bin/qemu-system-x86_64-microvm":     true,
		"/usr/libexec/qemu-kvm":                   true,
		"kvm":                                     true,
		"qemu-system-aarch64":                     false,
		"/opt/qemu-system-x86_64/qemu-system-arm": false,
		"qemu-system-riscv64":                     false,
	}
	for program, want := range tests {
		t.Run(program, func(t *testing.T) {
			got := qemu.Relayed(program, nil, true, pipes)
			if got.Connected("debugcon") != want || (len(got.Absent) == 0) != want {
				t.Errorf("got %v, absent %v", got.Args, got.Absent)
			}
		})
	}
}

func TestRelayedLeavesAChannelWithoutAPipeAlone(t *testing.T) {
	got := qemu.Relayed("qemu-system-arm", []string{"-monitor", "stdio"}, true, map[string]string{"serial": "/a, b"})
	if diff := cmp.Diff(qemu.Relays{Args: []string{"-serial", "pipe:/a, b"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
