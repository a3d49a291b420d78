package main

import (
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
	return asciicast.Record(w, fmt.Sprintf("%s, boot %d", log, boot.Number), snapshot, boot)
}
