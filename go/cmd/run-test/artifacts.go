package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	{"qemu.txt", func(k kept, path string) error {
		return create(path, func(file *os.File) error {
			_, err := file.WriteString(k.command + "\n")
			return err
		})
	}},
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

// incomplete has the artifacts that could not be written.
type incomplete struct {
	folder string // of all artifacts
	names  []string
	why    error // of the first one
}

// add adds an artifact that could not be written, unless err is nil.
func (i *incomplete) add(name string, err error) {
	if err == nil {
		return
	}
	i.names = append(i.names, name)
	i.why = cmp.Or(i.why, err)
}

// addFile is add for a file.
func (i *incomplete) addFile(path string, err error) {
	name, outside := filepath.Rel(i.folder, path)
	if outside != nil {
		name = path
	}
	i.add(name, err)
}

// err returns one error for all artifacts; nil if there are none.
func (i *incomplete) err() error {
	if i.why == nil {
		return nil
	}
	return fmt.Errorf("artifacts: %s lacks %s: %w", i.folder, strings.Join(i.names, ", "), i.why)
}

// write writes the artifacts beside the journals, as many as it can.
func (k kept) write(failed *incomplete) {
	for _, file := range files {
		path := filepath.Join(k.folder, file.name)
		failed.addFile(path, file.write(k, path))
	}
	for _, console := range k.machine.Consoles {
		k.writeConsole(console.Name, failed)
	}
}

// writeConsole writes the artifacts of a console. A console without a journal has none.
func (k kept) writeConsole(name string, failed *incomplete) {
	journals := filepath.Join(k.folder, name)
	snapshot, err := journal.TakeSnapshot(journals)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		failed.addFile(journals, err)
		return
	}
	for _, artifact := range consoleFiles {
		path := journals + artifact.suffix
		failed.addFile(path, create(path, func(file *os.File) error {
			return artifact.write(fmt.Sprintf("vm %q: console %s", k.machine.Name, name), snapshot, file)
		}))
	}
}

// create writes a new file. If that fails, except that bytes of a journal are missing, there is no file.
func create(path string, write func(file *os.File) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(write(file), file.Close()); err != nil && !journal.Missing(err) {
		_ = os.Remove(path) // the error of write says more
	}
	return err
}

// writeJSON writes value to a new file.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return create(path, func(file *os.File) error {
		_, err := file.Write(append(text, '\n'))
		return err
	})
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

// keep keeps what is in the folder of a run with --keep, or if the run has not passed; archive adds
// the artifacts. Otherwise, or if there is nothing, it removes what the run has written.
func (s *series) keep(j job, k kept, run *report.Run) error {
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
	s.kept[j.index] = &k
	return nil
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
