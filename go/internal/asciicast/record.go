package asciicast

import (
	"errors"
	"fmt"
	"io"

	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
)

// Record writes a boot of a snapshot to w as a recording. Its times are those of the
// journal's index, so their resolution is 10 ms. Bytes that are missing become a marker,
// and so does the end of the boot.
func Record(w io.Writer, title string, snapshot *journal.Snapshot, boot journal.Boot) error {
	times := snapshot.Times(boot.Start, boot.End)
	start := boot.Started
	if start.IsZero() {
		start = times.At(boot.Start)
	}
	writer, err := NewWriter(w, Header{Columns: Columns, Rows: Rows, Start: start, Title: title})
	if err != nil {
		return err
	}
	err = follow.Kept(snapshot, boot.Start, boot.End, func(e follow.Event) error {
		switch e.Kind {
		case follow.Data:
			return outputs(writer, times, e.Offset, e.Data)
		case follow.Gap:
			label := "bytes may be missing here"
			if e.Missing >= 0 {
				label = fmt.Sprintf("%d bytes are missing here", e.Missing)
			}
			return writer.Marker(times.At(e.Offset), label)
		}
		return nil
	})
	return errors.Join(err, writer.Close())
}

// outputs writes the bytes from an offset on as one event for each time that the index has.
func outputs(w *Writer, times journal.Times, offset int64, data []byte) error {
	for _, mark := range times {
		if mark.Offset <= offset || mark.Offset >= offset+int64(len(data)) {
			continue
		}
		n := mark.Offset - offset
		if err := w.Output(times.At(offset), data[:n]); err != nil {
			return err
		}
		offset, data = mark.Offset, data[n:]
	}
	return w.Output(times.At(offset), data)
}
