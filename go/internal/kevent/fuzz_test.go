package kevent

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// In any output, events are within it and in the order of their beginnings, and the pieces in
// which it comes do not matter.
func FuzzScanner(f *testing.F) {
	files, err := filepath.Glob("testdata/logs/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		log, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(log, 7)
	}
	f.Fuzz(func(t *testing.T, log []byte, size int) {
		events := scanPieces(log, max(1, len(log)))
		last := int64(0)
		for _, e := range events {
			if e.Begin < last || e.End <= e.Begin || e.End > int64(len(log)) {
				t.Errorf("event from %d to %d after %d in %d bytes", e.Begin, e.End, last, len(log))
			}
			if e.Kind == "" || e.Title == "" || len(e.Title) > maxTitle || len(e.Trace) > maxFrames || e.Fingerprint == "" {
				t.Errorf("%+v", e)
			}
			last = e.Begin
		}
		if pieces := scanPieces(log, max(1, size)); !reflect.DeepEqual(pieces, events) {
			t.Errorf("in pieces of %d: %+v, at once %+v", size, pieces, events)
		}
	})
}
