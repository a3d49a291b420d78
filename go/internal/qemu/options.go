package qemu

import (
	"iter"
	"slices"
	"strings"
)

// flags are QEMU's options without a value, of all versions since 7.2 and some older ones. Every
// other option takes the next argument as its value, even if that begins with a dash.
var flags = []string{
	"S", "alt-grab", "async-teardown", "audio-help", "ctrl-grab", "curses", "daemonize", "enable-fips",
	"enable-hax", "enable-kvm", "enable-sync-profile", "full-screen", "h", "help", "jitdump", "mem-prealloc",
	"no-acpi", "no-fd-bootchk", "no-hpet", "no-kvm", "no-quit", "no-reboot", "no-shutdown", "no-user-config",
	"nodefaults", "nographic", "old-param", "one-insn-per-tb", "only-migratable", "perfmap", "portrait",
	"preconfig", "s", "sdl", "semihosting", "singlestep", "snapshot", "usb", "version", "win2k-hack",
	"xen-attach", "xen-domid-restrict",
}

// options yields the options in args, without their dashes, each with its value or "". It parses
// args like QEMU: an option has one dash or two, and an argument that is neither an option nor
// a value is a disk.
func options(args []string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := 0; i < len(args); i++ {
			name, ok := strings.CutPrefix(args[i], "-")
			if !ok {
				continue
			}
			name = strings.TrimPrefix(name, "-")
			value := ""
			if !slices.Contains(flags, name) && i+1 < len(args) {
				i++
				value = args[i]
			}
			if !yield(name, value) {
				return
			}
		}
	}
}
