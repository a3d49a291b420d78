package asciicast

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"microvm-console/internal/journal"
)

// Record writes a boot of a snapshot to w as a recording. Its times are those of the
// journal's index, so their resolution is 10 ms. A marker is written where bytes are
// missing, and where the guest restarted by itself. Record writes large blocks, so w needs no
// buffer.
func Record(w io.Writer, title string, snapshot *journal.Snapshot, boot journal.Boot) error {
	times := snapshot.Times(boot.Start, boot.End)
	start := boot.Started
	if start.IsZero() {
		start = times.At(boot.Start)
	}
	out := bufio.NewWriter(w)
	writer, err := NewWriter(out, Header{Start: start, Title: title})
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(boot.Restarts), func(restart journal.Restart) bool { return restart.Offset < boot.Start })
	r := recorder{writer, times, kept, boot.Start, nil}
	err = snapshot.Walk(boot.Start, boot.End, r.printed, r.missing)
	r.restarted()
	return cmp.Or(errors.Join(err, r.err, writer.Flush()), out.Flush())
}

// recorder writes what Snapshot.Walk passes.
type recorder struct {
	writer   *Writer
	times    journal.Times     // of the bytes from offset on
	restarts []journal.Restart // those that have no marker yet
	offset   int64             // of the next byte
	err      error             // the first one of writer
}

// printed writes data as one event for each time that the index has.
func (r *recorder) printed(data []byte) {
	for len(data) > 0 && r.err == nil {
		r.restarted()
		at := r.times.At(r.offset)
		for len(r.times) > 1 && r.times[1].Offset <= r.offset {
			r.times = r.times[1:]
		}
		n := int64(len(data))
		for _, mark := range r.times[:min(2, len(r.times))] {
			if mark.Offset > r.offset {
				n = min(n, mark.Offset-r.offset)
			}
		}
		if len(r.restarts) > 0 {
			n = min(n, r.restarts[0].Offset-r.offset)
		}
		r.err = r.writer.Output(at, data[:n])
		r.offset, data = r.offset+n, data[n:]
	}
}

// restarted writes a marker for each restart up to the next byte.
func (r *recorder) restarted() {
	for r.err == nil && len(r.restarts) > 0 && r.restarts[0].Offset <= r.offset {
		r.err = r.writer.Marker(r.restarts[0].Time, "the guest restarted")
		r.restarts = r.restarts[1:]
	}
}

// missing writes a marker for the bytes that err reports as missing.
func (r *recorder) missing(err error) {
	skipped, bytes, cause := journal.Gone(err)
	label := "bytes may be missing here: " + cause
	if bytes > 0 {
		label = fmt.Sprintf("%d bytes are missing here: %s", bytes, cause)
	}
	if r.err == nil {
		r.err = cmp.Or(r.writer.Flush(), r.writer.Marker(r.times.At(r.offset), label))
	}
	r.offset += skipped
}
