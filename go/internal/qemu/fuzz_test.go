package qemu_test

import (
	"slices"
	"strings"
	"testing"

	"microvm-console/internal/qemu"
)

// For any arguments of the user, each channel is either connected, taken or absent, and the added
// arguments are parsed as intended.
func FuzzRelayed(f *testing.F) {
	f.Add("qemu-system-x86_64", "-m\n1G\n--serial\nstdio\n-device\nisa-debugcon,chardev=d", true)
	f.Add("qemu-system-arm", "-device\n{\"driver\":\"isa-serial\"}\n-nographic\n-monitor", false)
	f.Add("kvm", "-device\n{\n-S\ndisk.img\n-\n--\n---\n", false)
	all := append(slices.Clone(channels), qemu.Channel{Name: "com2", Device: "serial", Pipe: "/run/com2/vm"})
	f.Fuzz(func(t *testing.T, program, args string, display bool) {
		user := strings.Split(args, "\n")
		got := qemu.Relayed(program, user, display, all)
		for _, channel := range all {
			taken := slices.IndexFunc(got.Taken, func(taken qemu.Taken) bool { return taken.Channel == channel.Name })
			ways := 0
			for _, way := range []bool{slices.Contains(got.Connected, channel), taken >= 0, slices.Contains(got.Absent, channel.Name)} {
				if way {
					ways++
				}
			}
			if ways != 1 {
				t.Errorf("%s of %q: %+v", channel.Name, user, got)
			}
			if taken >= 0 && !slices.ContainsFunc(user, func(arg string) bool {
				return strings.HasPrefix(got.Taken[taken].Option, "-"+strings.TrimLeft(arg, "-")+" ")
			}) {
				t.Errorf("%q has no %+v", user, got.Taken[taken])
			}
		}
		again := qemu.Relayed(program, slices.Concat(got.Args, user, got.After), display, all)
		if len(again.Args)+len(again.After) > 0 || len(again.Taken)+len(again.Absent) != len(all) {
			t.Errorf("%q, then %+v", got.Args, again)
		}
	})
}
