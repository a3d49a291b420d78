package follow

import (
	"bytes"
	"errors"
	"math"

	"microvm-console/internal/journal"
)

// pieceBytes is how much of a journal's files is read at once.
const pieceBytes = 1 << 20

// Kept calls handle with what the files of a snapshot hold from offset start to end: Boot,
// Data and Gap. Its error is that of handle, or of reading a file.
func Kept(snapshot *journal.Snapshot, start, end int64, handle func(Event) error) error {
	boots := &boots{all: snapshot.Boots()}
	for _, boot := range boots.all {
		if boot.Start < start {
			boots.reached = boot.Number
		}
	}
	if err := split(nil, start, boots, math.MaxInt64, handle); err != nil {
		return err
	}
	var piece bytes.Buffer
	for from := start; from < end; from += pieceBytes {
		to := min(from+pieceBytes, end)
		piece.Reset()
		gaps, err := gapsOf(snapshot.Copy(&piece, from, to))
		if err != nil {
			return err
		}
		at := from
		for _, gap := range gaps {
			if err := split(piece.Next(int(gap.From-at)), at, boots, math.MaxInt64, handle); err != nil {
				return err
			}
			at = gap.To
			if err := handle(Event{Kind: Gap, Offset: at, Missing: gap.To - gap.From}); err != nil {
				return err
			}
		}
		if err := split(piece.Bytes(), at, boots, math.MaxInt64, handle); err != nil {
			return err
		}
	}
	return nil
}

// gapsOf returns the gaps that the error of Snapshot.Copy consists of, or else the error.
func gapsOf(err error) ([]*journal.GapError, error) {
	if err == nil {
		return nil, nil
	}
	var one *journal.GapError
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if errors.As(err, &one) {
			return []*journal.GapError{one}, nil
		}
		return nil, err
	}
	var gaps []*journal.GapError
	for _, err := range several.Unwrap() {
		if !errors.As(err, &one) {
			return nil, err
		}
		gaps = append(gaps, one)
	}
	return gaps, nil
}
