// Package candidates lists what a user can name on a command line: VMs, channels, consoles
// and boots, of what runs and of what is kept. Shells offer these words as completions.
//
// A list that cannot be read is empty: a completion has no place for an error.
package candidates

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
	"microvm-console/internal/vmconfig"
)

// Word is one candidate. Shells that can show the note beside it do.
type Word struct {
	Text string
	Note string // "" for none
}

// Files stands for the names of files.
var Files = Word{Text: ":files"}

// VMs returns the VMs of this user that run, and those of which a journal is kept.
func VMs() []Word {
	running, _ := rundir.Running()
	kept, _, _ := logs.All()
	notes := map[string]string{}
	for _, name := range kept {
		if log, err := logs.OfConsole(name, "", nil); err == nil {
			notes[name] = last(log)
		}
	}
	for _, machine := range running {
		notes[machine.Name()] = "running"
	}
	return sorted(notes, strings.Compare)
}

// Channels returns the channels that the settings at path enable, and those of which a
// journal is kept. With path "" the settings are those that qemu-relay finds by itself.
func Channels(path string) []Word {
	notes := map[string]string{}
	if all, _, err := settings.Find(path); err == nil {
		for _, name := range all.Names() {
			notes[name] = "no QEMU has been started"
		}
	}
	_, kept, _ := logs.All()
	for _, name := range kept {
		if log, err := logs.OfChannel(name); err == nil {
			notes[name] = last(log)
		}
	}
	return sorted(notes, settings.Compare)
}

func sorted(notes map[string]string, compare func(a, b string) int) []Word {
	var words []Word
	for _, name := range slices.SortedFunc(maps.Keys(notes), compare) {
		words = append(words, Word{name, notes[name]})
	}
	return words
}

// Place is where the boots of a console are kept. The zero value is the only VM that runs,
// or else the channel serial.
type Place struct {
	VM       string             // "" for none
	Channel  string             // "" for none
	Console  string             // name or device; "" for the VM's first one
	Consoles []vmconfig.Console // of the VM; nil if its vm.json is not known
}

// Consoles returns the consoles of the VM at p, by name, with their devices.
func Consoles(p Place) []Word {
	if p = p.resolve(); p.Channel != "" {
		return nil
	}
	consoles := p.Consoles
	if consoles == nil {
		consoles = vmconfig.DefaultConsoles(vmconfig.Machine{}.Architecture())
	}
	var words []Word
	for _, console := range consoles {
		words = append(words, Word{console.Name, console.Device})
	}
	return words
}

// Boots returns the boots that are kept at p, newest first, as --boot takes them: 0, -1, ….
// Their notes say when each started and how it ended.
func Boots(p Place) []Word {
	p = p.resolve()
	var log logs.Log
	var err error
	if p.Channel != "" {
		log, err = logs.OfChannel(p.Channel)
	} else {
		log, err = logs.OfConsole(p.VM, p.Console, p.Consoles)
	}
	if err != nil {
		return nil
	}
	snapshot, err := log.Snapshot()
	if err != nil {
		return nil
	}
	boots := snapshot.Boots()
	var words []Word
	for i, boot := range slices.Backward(boots) {
		number := i - len(boots) + 1
		words = append(words, Word{strconv.Itoa(number), note(log, boot, number == 0 && snapshot.Written())})
	}
	return words
}

// resolve returns p with the VM or the channel that a program chooses if none is named.
func (p Place) resolve() Place {
	if p.VM != "" || p.Channel != "" {
		return p
	}
	if running, err := rundir.Running(); err == nil && len(running) == 1 {
		p.VM = running[0].Name()
		return p
	}
	p.Channel = "serial"
	return p
}

// last returns the note of the newest boot of a log.
func last(log logs.Log) string {
	snapshot, err := log.Snapshot()
	if err != nil {
		return ""
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		return ""
	}
	return note(log, boot, snapshot.Written())
}

// note says when a boot started and how it ended. written reports whether a process writes
// to its journal.
func note(log logs.Log, boot journal.Boot, written bool) string {
	how := log.How(boot, written && boot.Ended.IsZero())
	started := cmp.Or(boot.Started, boot.Ended, boot.Last)
	if started.IsZero() {
		return how
	}
	return fmt.Sprintf("%s, %s", started.Local().Format(layout(started, time.Now())), how)
}

// layout returns the format of a time as it is written at now: with its day if that is not
// today.
func layout(when, now time.Time) string {
	if when.Local().Format(time.DateOnly) == now.Local().Format(time.DateOnly) {
		return "15:04:05"
	}
	return "2006-01-02 15:04"
}
