package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

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
