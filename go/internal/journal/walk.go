package journal

// Walk passes the bytes from offset start to end to printed, in pieces that are valid until it
// returns. Where bytes are missing, it calls missing with a *GapError or a *LossError. All calls
// are in the order of the stream.
func (s *Snapshot) Walk(start, end int64, printed func([]byte), missing func(error)) error {
	w := walk{snapshot: s, next: start, printed: printed, missing: missing}
	for _, loss := range s.losses(start, end) {
		if err := w.upTo(loss.Offset); err != nil {
			return err
		}
		missing(&LossError{loss.summary()})
	}
	return w.upTo(end)
}

// losses returns the gaps from offset start to end whose bytes were never kept.
func (s *Snapshot) losses(start, end int64) (losses gaps) {
	log := newGapLog(s.dir)
	text, _ := log.file.read() // a file that cannot be read has no gaps
	log.gaps, log.file.closed = parseGaps(text), true
	if lock, err := openLock(s.dir); err == nil {
		log.addRecorded(readRecord(lock))
		_ = lock.Close() // it was only read
	}
	for _, gap := range log.gaps {
		if !gap.Taken && gap.Offset >= start && gap.Offset <= end {
			losses = append(losses, gap)
		}
	}
	return losses
}

// walk is the state of Walk.
type walk struct {
	snapshot *Snapshot
	next     int64 // offset of the next byte
	printed  func([]byte)
	missing  func(error)
}

// Write implements io.Writer for the bytes of a segment.
func (w *walk) Write(data []byte) (int, error) {
	w.printed(data)
	w.next += int64(len(data))
	return len(data), nil
}

// upTo continues up to an offset.
func (w *walk) upTo(end int64) error {
	for _, segment := range w.snapshot.segments {
		from, to := max(w.next, segment.start), min(end, segment.end())
		if from >= to {
			continue
		}
		w.skip(from)
		if _, err := w.snapshot.copyPart(w, segment, from, to); err != nil {
			return err
		}
		w.skip(to) // what another program has removed
	}
	w.skip(end)
	return nil
}

// skip continues at an offset. The bytes before it are missing.
func (w *walk) skip(to int64) {
	if w.next < to {
		w.missing(&GapError{From: w.next, To: to})
		w.next = to
	}
}
