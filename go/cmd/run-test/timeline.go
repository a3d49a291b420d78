package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/atomicfile"
	"microvm-console/internal/journal"
	"microvm-console/internal/report"
	"microvm-console/internal/timeline"
	"microvm-console/internal/verdict"
)

// drawTo draws the run to the file of --timeline, if it is given.
func drawTo(c *cli.Context, k kept) error {
	if !c.IsSet("timeline") {
		return nil
	}
	if err := k.draw(c.String("timeline"), 0o644); err != nil {
		return fmt.Errorf("timeline: %w", err)
	}
	return nil
}

// draw draws the run to a file with that mode. A run of which nothing is recorded has no picture.
func (k kept) draw(path string, mode fs.FileMode) error {
	var sources []timeline.Source
	for _, console := range k.machine.Consoles {
		snapshot, err := journal.TakeSnapshot(filepath.Join(k.folder, console.Name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		boot, err := snapshot.Boot(0)
		if err != nil {
			return err
		}
		sources = append(sources, timeline.Source{Name: console.Device, Snapshot: snapshot, Boot: boot})
	}
	if len(sources) == 0 {
		return nil
	}
	var kernel verdict.Result
	if k.run.Kernel != nil {
		kernel = *k.run.Kernel
	}
	boot, err := timeline.Read(sources, kernel)
	if err != nil {
		return err
	}
	boot.Title = title(k.run)
	boot.Checks = checks(k.run)
	return atomicfile.Write(path, mode, func(w io.Writer) error { return timeline.Write(w, boot) })
}

// title returns the title of a run's picture: the machine, how it ran, and how it ended.
func title(run report.Run) string {
	text := cmp.Or(run.Machine, run.VM)
	if run.Accel != "" {
		text += fmt.Sprintf(" on %s, %s", run.Type, run.Accel)
	}
	if run.Failed() {
		return text + ": failed"
	}
	return text
}

// checks returns the checks that have run to their end.
func checks(run report.Run) []timeline.Check {
	var all []timeline.Check
	for _, result := range run.Results {
		if !result.Started.IsZero() && result.NotRun == "" {
			all = append(all, timeline.Check{
				Name: result.Name, From: result.Started, To: result.Started.Add(result.Duration), Passed: result.Err == nil,
			})
		}
	}
	return all
}
