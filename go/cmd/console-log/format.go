package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/asciicast"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
)

// The values of --format.
const (
	plain     = "text"
	recording = "asciicast"
)

var formats = []string{plain, recording}

// formatContradiction returns an error if --format is unknown, or if other flags exclude it.
func formatContradiction(c *cli.Context, _ options) error {
	format := c.String("format")
	switch {
	case !slices.Contains(formats, format):
		return fmt.Errorf("invalid format %q (use %s)", format, strings.Join(formats, " or "))
	case format == plain:
		return nil
	}
	for _, flag := range []string{"follow", "since", "tail"} {
		if c.IsSet(flag) {
			return fmt.Errorf("--format asciicast: records a whole boot (leave out --%s)", flag)
		}
	}
	for _, flag := range []string{"list", "events", "verdict", "timestamps", "decode"} {
		if c.IsSet(flag) {
			return fmt.Errorf("--format asciicast: prints a recording (leave out --%s)", flag)
		}
	}
	return nil
}

// record prints a boot as a recording.
func record(w io.Writer, back int, log logs.Log, snapshot *journal.Snapshot) error {
	boot, err := snapshot.Boot(back)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	title := fmt.Sprintf("%s, boot %d", log, boot.Number)
	return cmp.Or(asciicast.Record(out, title, snapshot, boot), out.Flush())
}
