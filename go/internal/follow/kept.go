package follow

import (
	"math"
	"slices"

	"microvm-console/internal/journal"
)

// Kept calls handle with Boot, Data and Gap events for the bytes of a snapshot from
// offset start to end. It returns the error of handle, or of reading a file.
func Kept(snapshot *journal.Snapshot, start, end int64, handle func(Event) error) error {
	all := slices.DeleteFunc(snapshot.Boots(), func(b journal.Boot) bool { return b.Start >= end && b.Start > start })
	at := &cursor{offset: start, live: math.MaxInt64, boots: &boots{all: all}, handle: handle}
	at.boots.skip(start)
	failed := at.data(nil) // a boot that printed nothing
	err := snapshot.Walk(start, end,
		func(data []byte) {
			if failed == nil {
				failed = at.data(data)
			}
		},
		func(gone error) {
			if failed == nil {
				skipped, printed, _ := journal.Gone(gone)
				failed = at.missing(at.offset+skipped, printed)
			}
		})
	if failed != nil {
		return failed
	}
	return err
}
