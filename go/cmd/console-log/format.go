package main

import (
	"bufio"
	"cmp"
	"errors"
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
func formatContradiction(c *cli.Context, o options) error {
	format := c.String("format")
	switch {
	case !slices.Contains(formats, format):
		return fmt.Errorf("invalid format %q (use %s)", format, strings.Join(formats, " or "))
	case format == plain:
		return nil
	case c.Bool("follow") || o.since > 0 || o.tail > 0:
		return errors.New("--format asciicast: records a whole boot (leave out --follow, --since and --tail)")
	case c.Bool("list") || c.Bool("events") || c.Bool("verdict") || c.Bool("timestamps"):
		return errors.New("--format asciicast: prints a recording (leave out --list, --events, --verdict and --timestamps)")
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
