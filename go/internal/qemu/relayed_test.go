package qemu_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"microvm-console/internal/qemu"
)

// channel returns a channel whose name is also its device.
func channel(name string) qemu.Channel {
	return qemu.Channel{Name: name, Device: name, Pipe: "/run/" + name + "/vm"}
}

// channels are the channels in most tests of Relayed.
var channels = []qemu.Channel{channel("serial"), channel("monitor"), channel("debugcon")}

const (
	onSerial   = "-serial pipe:/run/serial/vm"
	onMonitor  = "-monitor pipe:/run/monitor/vm"
	onDebugcon = "-debugcon pipe:/run/debugcon/vm"
	onAll      = onSerial + " " + onMonitor + " " + onDebugcon
)

func TestRelayedRespectsTheUsersOptions(t *testing.T) {
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
		{"no arguments", nil, onAll, nil},
		{"the document's example", []string{"-smp", "4", "-enable-kvm", "-cpu", "host"}, onAll, nil},
		{"-serial", []string{"-serial", "stdio"}, noSerial, serialIs("-serial stdio")},
		{"--serial", []string{"--serial", "none"}, noSerial, serialIs("-serial none")},
		{"the first of two", []string{"-serial", "stdio", "-serial", "null"}, noSerial, serialIs("-serial stdio")},
		{"a monitor on the serial port", []string{"-serial", "mon:stdio"}, noSerial, serialIs("-serial mon:stdio")},
		{"-device isa-serial", []string{"-device", "isa-serial,chardev=mine"}, noSerial, serialIs("-device isa-serial,chardev=mine")},
		{"-device of another serial port", []string{"-device", "pci-serial,chardev=mine"}, onAll, nil},
		{"-monitor", []string{"-monitor", "none"}, noMonitor, monitorIs("-monitor none")},
		{"-qmp does not replace the monitor", []string{"-qmp", "unix:/run/qmp,server=on,wait=off"}, onAll, nil},
		{"-mon does not replace the monitor", []string{"-chardev", "socket,id=m,path=/run/m", "-mon", "chardev=m,mode=control"}, onAll, nil},
		{"-debugcon", []string{"-debugcon", "file:debug.log"}, noDebugcon, debugconIs("-debugcon file:debug.log")},
		{"-device isa-debugcon", []string{"-device", "isa-debugcon,iobase=0x402,chardev=d"}, noDebugcon, debugconIs("-device isa-debugcon,iobase=0x402,chardev=d")},
		{"-device with its driver named", []string{"-device", "driver=isa-debugcon,chardev=d"}, noDebugcon, debugconIs("-device driver=isa-debugcon,chardev=d")},
		{"-device in JSON", []string{"-device", `{"chardev":"d","driver":"isa-debugcon"}`}, noDebugcon, debugconIs(`-device {"chardev":"d","driver":"isa-debugcon"}`)},
		{"-device in broken JSON", []string{"-device", `{"driver":`}, onAll, nil},
		{"another I/O port", []string{"-global", "isa-debugcon.iobase=0x402"}, onAll, nil},
		{"-nographic", []string{"-nographic"}, onAll, nil},
		{"-chardev does not replace a channel", []string{"-chardev", "stdio,id=serial"}, onAll, nil},
		{"a value that looks like an option", []string{"-append", "-serial", "-name", "--monitor"}, onAll, nil},
		{"an option after one without a value", []string{"-S", "-serial", "stdio", "-s", "-monitor", "none"}, onDebugcon,
			append(serialIs("-serial stdio"), monitorIs("-monitor none")...)},
		{"a disk before an option", []string{"disk.img", "-debugcon", "stdio"}, noDebugcon, debugconIs("-debugcon stdio")},
		{"a missing value", []string{"-serial"}, noSerial, serialIs("-serial ")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := qemu.Relayed("qemu-system-x86_64", test.user, true, channels)
			want := qemu.Relays{Args: strings.Fields(test.args), Taken: test.taken}
			for _, c := range channels {
				if strings.Contains(test.args, "-"+c.Name+" ") {
					want.Connected = append(want.Connected, c)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayedWithoutADisplay(t *testing.T) {
	tests := []struct {
		name    string
		user    string
		display bool
		want    string
	}{
		{"a display", "", true, onAll},
		{"no display", "", false, onAll + " -display none"},
		{"-display", "-display gtk", false, onAll},
		{"-vnc", "-vnc :1", false, onAll},
		{"-spice", "--spice port=5900", false, onAll},
		{"-nographic", "-m 1G -nographic", false, onAll},
		{"-curses", "-curses", false, onAll},
		{"only a value", "-name -vnc", false, onAll + " -display none"},
		{"a graphics card", "-vga std", false, onAll + " -display none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := qemu.Relayed("qemu-system-x86_64", strings.Fields(test.user), test.display, channels)
			if diff := cmp.Diff(strings.Fields(test.want), got.Args); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayedDebugConsole(t *testing.T) {
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
			got := qemu.Relayed(program, nil, true, channels)
			if slices.Contains(got.Connected, channel("debugcon")) != want || (len(got.Absent) == 0) != want {
				t.Errorf("got %v, absent %v", got.Args, got.Absent)
			}
		})
	}
}

func TestRelayedWithAComma(t *testing.T) {
	c := qemu.Channel{Name: "serial", Device: "serial", Pipe: "/a, b"}
	got := qemu.Relayed("qemu-system-arm", []string{"-monitor", "stdio"}, true, []qemu.Channel{c})
	if diff := cmp.Diff(qemu.Relays{Args: []string{"-serial", "pipe:/a, b"}, Connected: []qemu.Channel{c}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Other channels: serial ports are numbered in order, those of the user first.
func TestRelayedOtherChannels(t *testing.T) {
	com2 := qemu.Channel{Name: "com2", Device: "serial", Pipe: "/run/com2/vm"}
	com3 := qemu.Channel{Name: "com3", Device: "serial", Pipe: "/run/com,3/vm"}
	const (
		onCom2 = "-chardev pipe,id=relay-com2,path=/run/com2/vm -serial chardev:relay-com2"
		onCom3 = "-chardev pipe,id=relay-com3,path=/run/com,,3/vm -serial chardev:relay-com3"
	)
	serials := []qemu.Channel{channel("serial"), com2, com3}
	for _, test := range []struct {
		name     string
		channels []qemu.Channel
		user     string
		want     string // USER is the place of the user's arguments
		taken    []qemu.Taken
	}{
		{"serial ports", serials, "", onSerial + " " + onCom2 + " " + onCom3, nil},
		{"a serial port of the user", serials, "-serial stdio", "USER " + onCom2 + " " + onCom3, []qemu.Taken{{Channel: "serial", Option: "-serial stdio"}}},
		{"two serial ports of the user", serials, "-serial stdio -serial null", "USER " + onCom3,
			[]qemu.Taken{{Channel: "serial", Option: "-serial stdio"}, {Channel: "com2", Option: "-serial null"}}},
		{"a device of the user replaces all serial ports", serials, "-device isa-serial,chardev=a", "", []qemu.Taken{
			{Channel: "serial", Option: "-device isa-serial,chardev=a"}, {Channel: "com2", Option: "-device isa-serial,chardev=a"},
			{Channel: "com3", Option: "-device isa-serial,chardev=a"},
		}},
		{"the user connects a channel", serials, "-chardev pipe,id=a,path=/run/com2/vm -device pci-serial,chardev=a", onSerial + " " + onCom3,
			[]qemu.Taken{{Channel: "com2", Option: "-chardev pipe,id=a,path=/run/com2/vm"}}},
		{"the user connects the first channel", serials, "-serial pipe:/run/serial/vm", "USER " + onCom2 + " " + onCom3,
			[]qemu.Taken{{Channel: "serial", Option: "-serial pipe:/run/serial/vm"}}},
		{"the first channel is unconnected", []qemu.Channel{{Name: "serial", Device: "serial"}, com2}, "", "-serial none " + onCom2, nil},
		{"the user replaces the unconnected channel", []qemu.Channel{{Name: "serial", Device: "serial"}, com2}, "-serial stdio", "USER " + onCom2, nil},
		{"monitors", []qemu.Channel{
			channel("monitor"), {Name: "hmp2", Device: "monitor", Pipe: "/run/hmp2/vm"}, {Name: "qmp", Device: "qmp", Pipe: "/run/qmp/vm"},
		}, "-monitor none", "-chardev pipe,id=relay-hmp2,path=/run/hmp2/vm -monitor chardev:relay-hmp2 " +
			"-chardev pipe,id=relay-qmp,path=/run/qmp/vm -qmp chardev:relay-qmp", []qemu.Taken{{Channel: "monitor", Option: "-monitor none"}}},
		{"a virtio console", []qemu.Channel{{Name: "hvc0", Device: "virtconsole", Pipe: "/run/hvc0/vm"}}, "-M q35",
			"-chardev pipe,id=relay-hvc0,path=/run/hvc0/vm -device virtio-serial,id=bus-relay-hvc0 -device virtconsole,bus=bus-relay-hvc0.0,chardev=relay-hvc0", nil},
		{"a virtio console without PCI", []qemu.Channel{{Name: "hvc0", Device: "virtconsole", Pipe: "/run/hvc0/vm"}}, "-machine microvm,acpi=on",
			"-chardev pipe,id=relay-hvc0,path=/run/hvc0/vm -device virtio-serial-device,id=bus-relay-hvc0 -device virtconsole,bus=bus-relay-hvc0.0,chardev=relay-hvc0", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := qemu.Relayed("qemu-system-x86_64", strings.Fields(test.user), true, test.channels)
			before, after, _ := strings.Cut(test.want, "USER")
			want, all := [][]string{strings.Fields(before), strings.Fields(after)}, [][]string{got.Args, got.After}
			if diff := cmp.Diff(want, all, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.taken, got.Taken); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		})
	}
}
