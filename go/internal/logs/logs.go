// Package logs finds the journals of consoles and channels, whether running or ended, and
// describes how boots have ended.
package logs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// Log is the journal of a console or a channel.
type Log struct {
	Machine string // name of the VM; "" for a channel
	Name    string // name of the console or the channel
	Device  string // the console in the guest, "ttyS0"; "" if it is unknown
	Dir     string // folder of the journal
}

// String returns the log's name for error messages.
func (l Log) String() string {
	if l.Machine == "" {
		return fmt.Sprintf("channel %q", l.Name)
	}
	return fmt.Sprintf("vm %q: console %s", l.Machine, l.Name)
}

// Label returns what pictures and verdicts call the console: its device, as on the kernel's command
// line, or its name if the device is unknown.
func (l Log) Label() string { return cmp.Or(l.Device, l.Name) }

// Snapshot returns the current content of the journal. It returns os.ErrNotExist if
// nothing was ever printed.
func (l Log) Snapshot() (*journal.Snapshot, error) { return journal.TakeSnapshot(l.Dir) }

// ErrNone is returned if nothing is kept of a VM, a console or a channel.
var ErrNone = errors.New("no log is kept")

// ErrNoConsole is returned if a VM does not have a console.
var ErrNoConsole = errors.New("no console")

// OfChannel returns the log of a channel. It returns ErrNone if there is none.
func OfChannel(name string) (Log, error) {
	dir, err := rundir.OfChannel(name).Journal()
	if err != nil {
		return Log{}, err
	}
	if _, err := journal.TakeSnapshot(dir); err != nil {
		return Log{}, fmt.Errorf("channel %q: %w (nothing was ever printed there: %s)", name, ErrNone, dir)
	}
	return Log{Name: name, Dir: dir}, nil
}

// OfConsole returns the log of a console of a VM, given by name or device; "" selects the
// first one. consoles are those of the VM's vm.json; if they are nil, a device is looked
// up in the default consoles. It returns ErrNone if nothing is kept.
func OfConsole(machine, console string, consoles []vmconfig.Console) (Log, error) {
	all, err := OfMachine(machine, consoles)
	if err != nil {
		return Log{}, err
	}
	names := make([]string, len(all))
	for i, log := range all {
		names[i] = log.Name
		declared, _ := find(orDefault(consoles), log.Name)
		if console == "" || console == log.Name || console == declared.Device {
			return log, nil
		}
	}
	if consoles != nil && console != "" && !slices.ContainsFunc(consoles, func(c vmconfig.Console) bool { return c.Name == console || c.Device == console }) {
		return Log{}, fmt.Errorf("vm %q: %w %q (it has %s)", machine, ErrNoConsole, console, consoleNames(consoles))
	}
	if len(all) == 0 {
		return Log{}, fmt.Errorf("vm %q: %w (it has not been started yet)", machine, ErrNone)
	}
	return Log{}, fmt.Errorf("vm %q: %w of console %q (choose one of %s)", machine, ErrNone, console, strings.Join(names, ", "))
}

// OfMachine returns the logs of all consoles of a VM, in the order of its vm.json. consoles are
// those of vm.json; if they are nil, the order is that of the default consoles, and the logs have
// no device.
func OfMachine(machine string, consoles []vmconfig.Console) ([]Log, error) {
	all, err := ofMachine(machine)
	if err != nil {
		return nil, err
	}
	for i := range all {
		declared, _ := find(consoles, all[i].Name)
		all[i].Device = declared.Device
	}
	slices.SortStableFunc(all, func(a, b Log) int {
		_, one := find(orDefault(consoles), a.Name)
		_, other := find(orDefault(consoles), b.Name)
		return cmp.Compare(one, other)
	})
	return all, nil
}

// orDefault returns consoles or, if they are nil, those of a vm.json that has none.
func orDefault(consoles []vmconfig.Console) []vmconfig.Console {
	if consoles == nil {
		return vmconfig.DefaultConsoles(vmconfig.Machine{}.Architecture())
	}
	return consoles
}

// find returns the console with a name, and its index. If there is none, because vm.json does not
// have it any more, find returns an empty console and the number of consoles.
func find(consoles []vmconfig.Console, name string) (vmconfig.Console, int) {
	for i, console := range consoles {
		if console.Name == name {
			return console, i
		}
	}
	return vmconfig.Console{}, len(consoles)
}

// consoleNames returns the names of consoles for display.
func consoleNames(consoles []vmconfig.Console) string {
	names := make([]string, len(consoles))
	for i, console := range consoles {
		names[i] = console.Name
	}
	return strings.Join(names, ", ")
}

// ofMachine returns the logs of a VM's consoles, sorted by name: of the VM that runs, or else of
// the user's own, or of the system service of this name.
func ofMachine(machine string) ([]Log, error) {
	found := rundir.Find(machine)
	logs, err := below(found)
	for _, other := range []rundir.Machine{rundir.Of(machine), rundir.System(machine)} {
		if err == nil && len(logs) == 0 && other != found {
			logs, err = below(other)
		}
	}
	return logs, err
}

// below returns the logs in the folder of a VM.
func below(machine rundir.Machine) ([]Log, error) {
	base, err := machine.Journal("")
	if err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(base); errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("vm %q: log: %w (use sudo, or while it runs --follow)", machine.Name(), err)
	}
	var logs []Log
	for _, name := range folders(base) {
		if dir := filepath.Join(base, name); kept(dir) {
			logs = append(logs, Log{Machine: machine.Name(), Name: name, Dir: dir})
		}
	}
	return logs, nil
}

// All returns the names of the VMs and the channels that have a log that this user may read.
func All() (machines, channels []string, err error) {
	base, err := rundir.Of("").Journal("")
	if err != nil {
		return nil, nil, err
	}
	system, err := rundir.System("").Journal("")
	if err != nil {
		return nil, nil, err
	}
	names := slices.Concat(folders(base), folders(system))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if logs, err := ofMachine(name); err == nil && len(logs) > 0 {
			machines = append(machines, name)
		}
	}
	if base, err = rundir.OfChannel("").Journal(); err != nil {
		return nil, nil, err
	}
	for _, name := range folders(base) {
		if kept(filepath.Join(base, name)) {
			channels = append(channels, name)
		}
	}
	return machines, channels, nil
}

// kept reports whether a folder holds a journal.
func kept(dir string) bool {
	_, err := journal.TakeSnapshot(dir)
	return err == nil
}

// folders returns the sorted names of the folders in dir.
func folders(dir string) []string {
	entries, _ := os.ReadDir(dir) // none if dir does not exist
	var names []string
	for _, entry := range entries {
		// The folder of a service may be a link (DynamicUser= in systemd.exec(5)).
		if info, err := os.Stat(filepath.Join(dir, entry.Name())); err == nil && info.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// How returns in a few words how a boot ended. running is set if it is the newest boot of
// a journal that a process is writing.
func (l Log) How(boot journal.Boot, running bool) string {
	switch {
	case boot.How != "":
		return boot.How
	case running:
		return "running"
	case boot.Started.IsZero(): // recorded by an earlier version
		return "unknown"
	case l.Machine == "":
		return "unknown (no relay ran)"
	}
	return "killed"
}

// Explain returns err. If err means that a VM is not running, Explain adds to its text
// how the VM's last boot ended.
func Explain(err error) error {
	missing := (*ctl.NotRunningError)(nil)
	if !errors.As(err, &missing) || missing.Name == "" {
		return err
	}
	log, problem := OfConsole(missing.Name, "", nil)
	if kept, _, failed := All(); problem != nil && failed == nil && missing.Nearest == "" {
		missing.Nearest = ctl.Nearest(missing.Name, kept)
	}
	if problem != nil {
		return err
	}
	snapshot, problem := log.Snapshot()
	if problem != nil {
		return err
	}
	boot, problem := snapshot.Boot(0)
	if problem != nil {
		return err
	}
	missing.Last = fmt.Sprintf("ended%s, %s", clock(cmp.Or(boot.Ended, boot.Last), time.Now()), log.How(boot, false))
	return err
}

// clock formats a time for a reader at now, with the date only if it is another day. It
// returns "" for the zero time.
func clock(when, now time.Time) string {
	switch when, now = when.Local(), now.Local(); {
	case when.IsZero():
		return ""
	case when.Format(time.DateOnly) == now.Format(time.DateOnly):
		return when.Format(" 15:04")
	}
	return when.Format(" 2006-01-02 15:04")
}
