// Package crash collects a crash bundle: a folder that shows the state of a virtual machine when
// its guest has failed, or at any other time.
//
// Invariants: a bundle appears under its name only when it is complete, and nothing of it is left
// otherwise; the folder has mode 0700 and its files 0600; a part that cannot be collected is a
// problem in the index, and does not prevent the others. Except for SysRq, an NMI and the pause of
// a dump, the guest does not notice.
package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"microvm-console/internal/ctl"
	"microvm-console/internal/plaintext"
)

// Source is the machine of a bundle. Its functions are called one after the other.
type Source struct {
	// Name is the machine's name.
	Name string
	// RunState is QEMU's run state. Only a guest that is "running" gets SysRq and an NMI.
	RunState string
	// Monitor runs a command of QEMU's monitor and decodes its result into result, which may
	// be nil.
	Monitor func(ctx context.Context, command string, arguments, result any) error
	// Consoles are the machine's consoles.
	Consoles []Console
	// SysRq types SysRq keys; nil if no console can, for the reason NoSysRq.
	SysRq   *SysRq
	NoSysRq error
	// Machine is the content of vm.json, and Status that of state.json; both become JSON.
	Machine, Status any
	// Command is QEMU's command line.
	Command string
}

// Console is a console of the machine.
type Console struct {
	Name   string
	Device string // "ttyS0"
	// Copy copies what the console has printed in this boot. Where bytes are missing, it calls missing
	// with their number, or -1 if that is unknown.
	Copy func(w io.Writer, missing func(bytes int64)) error
}

// Collect writes a bundle to folder, at which nothing exists; see ctl.CrashBundle. Its error says
// why there is no bundle.
func Collect(ctx context.Context, source Source, request ctl.CrashRequest, folder string) (ctl.CrashBundle, error) {
	b, err := create(folder)
	if err != nil {
		return ctl.CrashBundle{}, err
	}
	defer b.discard()
	b.index.VM, b.index.Reason, b.index.RunState = source.Name, plaintext.Line(request.Reason), source.RunState
	source.describe(ctx, b)
	source.registers(ctx, b)
	if request.Dump {
		source.dump(ctx, b)
	}
	source.ask(ctx, b, request.NMI)
	source.journals(b)
	return b.finish()
}

// describe adds what is known without the guest.
func (s Source) describe(ctx context.Context, b *bundle) {
	b.add("vm.json", "the VM as it was started", asJSON(s.Machine))
	b.add("status.json", "the state of the VM and its consoles", asJSON(s.Status))
	b.add("qemu.txt", "QEMU's version and command line", func(w io.Writer) error {
		var version struct {
			Qemu struct{ Major, Minor, Micro int }
		}
		text := s.Command + "\n"
		if err := s.Monitor(ctx, "query-version", nil, &version); err != nil {
			b.problem("QEMU's version", err)
		} else {
			text = fmt.Sprintf("QEMU %d.%d.%d\n\n%s", version.Qemu.Major, version.Qemu.Minor, version.Qemu.Micro, text)
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

func asJSON(value any) func(io.Writer) error {
	return func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
}

// registers adds the registers of all processors.
func (s Source) registers(ctx context.Context, b *bundle) {
	var text string
	err := s.Monitor(ctx, "human-monitor-command", map[string]string{"command-line": "info registers -a"}, &text)
	if err != nil {
		b.problem("registers", err)
		return
	}
	b.add("registers.txt", "the registers of all processors", func(w io.Writer) error {
		_, err := io.WriteString(w, strings.ReplaceAll(text, "\r\n", "\n"))
		return err
	})
}

// journals adds the output of the consoles, and the events in it.
func (s Source) journals(b *bundle) {
	events := []event{}
	for _, c := range s.Consoles {
		name := c.Name + ".log"
		b.add(name, "what "+c.Device+" has printed in this boot, byte for byte", func(w io.Writer) error {
			o := output{file: w, console: c.Name}
			err := c.Copy(&o, o.gap)
			o.found(o.scanner.Close())
			events = append(events, o.events...)
			switch {
			case o.unknown:
				b.problem(name, errMissing)
			case o.missing > 0:
				b.problem(name, fmt.Errorf("%d bytes are missing", o.missing))
			}
			return err
		})
	}
	b.add("events.json", "what the kernel has reported on its consoles: panics, oopses, warnings", asJSON(events))
}
