package follow

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"microvm-console/internal/journal"
)

// pieceBytes is how much of a journal is read at once.
const pieceBytes = 1 << 20

// Kept calls handle with Boot, Data and Gap events for the bytes of a snapshot from
// offset start to end. It returns the error of handle, or of reading a file.
func Kept(snapshot *journal.Snapshot, start, end int64, handle func(Event) error) error {
	all := slices.DeleteFunc(snapshot.Boots(), func(b journal.Boot) bool { return b.Start >= end && b.Start > start })
	at := &cursor{offset: start, live: math.MaxInt64, boots: &boots{all: all}, handle: handle}
	at.boots.skip(start)
	if err := at.data(nil); err != nil { // a boot that printed nothing
		return err
	}
	var piece bytes.Buffer
	for at.offset < end {
		to := min(at.offset+pieceBytes, end)
		piece.Reset()
		gaps, err := gapsOf(snapshot.Copy(&piece, at.offset, to))
		if err != nil {
			return err
		}
		for _, gap := range gaps {
			if err := at.data(piece.Next(int(gap.From - at.offset))); err != nil {
				return err
			}
			if err := at.missing(gap.To, gap.To-gap.From); err != nil {
				return err
			}
		}
		if err := at.data(piece.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// gapsOf splits an error of Snapshot.Copy into gaps. It returns the error itself if it is
// not made of gaps.
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
