package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/asciicast"
	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/journal"
	"microvm-console/internal/report"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vmconfig"
)

// kept is a run whose output is kept: what its artifacts are made of.
type kept struct {
	folder  string
	machine vmconfig.Machine
	command string // QEMU's command line; "" if QEMU did not start
	run     report.Run
}

// files are the artifacts of a run. Each function writes one file; it gets its path.
var files = []struct {
	name  string
	write func(k kept, path string) error
}{
	{"vm.json", func(k kept, path string) error { return writeJSON(path, k.machine) }},
	{"qemu.txt", func(k kept, path string) error { return os.WriteFile(path, []byte(k.command+"\n"), 0o600) }},
	{"events.json", func(k kept, path string) error {
		if k.run.Kernel == nil {
			return writeJSON(path, []verdict.Event{})
		}
		return writeJSON(path, k.run.Kernel.Events)
	}},
	{"boot.svg", func(k kept, path string) error { return k.draw(path, 0o600) }},
}

// consoleFiles are the artifacts of each console, whose name precedes that of the file. Each
// function writes one file, from the journal; title names the VM and the console.
var consoleFiles = []struct {
	suffix string
	write  func(title string, snapshot *journal.Snapshot, file *os.File) error
}{
	{".log", func(_ string, snapshot *journal.Snapshot, file *os.File) error {
		start, end := bounds(snapshot)
		return snapshot.Copy(file, start, end)
	}},
	{".timed.log", func(_ string, snapshot *journal.Snapshot, file *os.File) error {
		start, end := bounds(snapshot)
		view := attach.NewView(attach.Options{Program: "run-test", Timestamps: true}, file, file)
		return errors.Join(view.Show(snapshot, start, end), view.Close())
	}},
	{".cast", func(title string, snapshot *journal.Snapshot, file *os.File) error {
		boot, err := snapshot.Boot(0)
		if err != nil {
			return err
		}
		return asciicast.Record(file, title, snapshot, boot)
	}},
}

// bounds returns the offsets of the first and after the last byte of a journal.
func bounds(snapshot *journal.Snapshot) (start, end int64) {
	boots := snapshot.Boots()
	if len(boots) == 0 {
		return 0, snapshot.End()
	}
	return boots[0].Start, snapshot.End()
}

// write writes the artifacts beside the journals. It writes all that it can.
func (k kept) write() error {
	var errs *multierror.Error
	for _, file := range files {
		errs = multierror.Append(errs, file.write(k, filepath.Join(k.folder, file.name)))
	}
	for _, console := range k.machine.Consoles {
		errs = multierror.Append(errs, k.writeConsole(console.Name))
	}
	return errs.ErrorOrNil()
}

// writeConsole writes the artifacts of a console. A console without a journal has none.
func (k kept) writeConsole(name string) error {
	snapshot, err := journal.TakeSnapshot(filepath.Join(k.folder, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs *multierror.Error
	for _, artifact := range consoleFiles {
		file, err := os.OpenFile(filepath.Join(k.folder, name+artifact.suffix), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			errs = multierror.Append(errs, err)
			continue
		}
		title := fmt.Sprintf("vm %q: console %s", k.machine.Name, name)
		errs = multierror.Append(errs, artifact.write(title, snapshot, file), file.Close())
	}
	return errs.ErrorOrNil()
}

// writeJSON writes value to a file.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// checkFolder returns an error unless the folder of --artifacts is new or empty.
func checkFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return cmdline.Usage("artifacts: %v (choose another folder)", err)
	case len(entries) > 0:
		return cmdline.Usage("artifacts: %s is not empty (remove it, or choose another folder)", folder)
	}
	return nil
}

// makeFolder makes the folder of the journals: that of --artifacts, or a new one. made is false if
// the folder existed before.
func makeFolder(c *cli.Context, machine string) (folder string, made bool, err error) {
	if !c.IsSet("artifacts") {
		folder, err := os.MkdirTemp("", "run-test-"+machine+"-")
		if err != nil {
			return "", false, fmt.Errorf("journals: %w (set TMPDIR)", err)
		}
		return folder, true, nil
	}
	folder, err = filepath.Abs(c.String("artifacts"))
	if err == nil {
		_, missing := os.Stat(folder)
		made, err = missing != nil, os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return "", false, fmt.Errorf("artifacts: %w", err)
	}
	return folder, made, nil
}

// keep keeps what is in the folder of a run, and adds the artifacts, with --keep, or if the run
// has not passed. Otherwise, or if there is nothing, it removes what the run has written.
func (s *series) keep(k kept, run *report.Run) error {
	entries, err := os.ReadDir(k.folder)
	wanted := s.c.Bool("keep") || !run.Passed()
	switch nothing := err == nil && len(entries) == 0 || errors.Is(err, os.ErrNotExist); {
	case !wanted || nothing && !s.c.IsSet("artifacts"):
		s.remove(k)
		return nil
	case err != nil && !nothing:
		return err
	}
	if err := os.MkdirAll(k.folder, 0o700); err != nil {
		return err
	}
	run.Kept = k.folder
	return k.write()
}

// remove removes what a run has written, and its folder unless that of --artifacts has existed before.
// A failure fails no run.
func (s *series) remove(k kept) {
	paths := []string{k.folder}
	if k.folder == s.base && !s.made {
		paths = nil
		for _, console := range k.machine.Consoles {
			paths = append(paths, filepath.Join(k.folder, console.Name))
		}
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			fmt.Fprintf(s.errout, "run-test: artifacts: %v\n", err)
		}
	}
}
