package endpoint

import (
	"context"
	"os"

	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// LogLink is a symbolic link to the newest file of a journal, for tail -F. The link
// remains when its relay has ended.
type LogLink struct{ path string }

// OpenLogLink creates the link, and updates it whenever the journal begins a new file.
func OpenLogLink(path string, stream *journal.Journal) (*LogLink, error) {
	var err error // of the first link
	stream.OnSegment(func(segment string) { err = rundir.Link(segment, path) })
	if err != nil {
		return nil, err
	}
	return &LogLink{path}, nil
}

// InPlace reports whether the link exists.
func (l *LogLink) InPlace() bool {
	there, err := rundir.Usable(l.path, os.ModeSymlink)
	return there && err == nil
}

// Serve does nothing.
func (l *LogLink) Serve(context.Context, *relay.Relay) error { return nil }

// Close does nothing.
func (l *LogLink) Close() {}
