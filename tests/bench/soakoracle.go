package main

// oracle checks the records of one boot. A record that was not read is missing unless a counted gap
// overlaps it.
type oracle struct {
	*checker
	base  int64 // number of the first record
	begun bool  // a record was read, so that place is known
	place int64 // of the next byte, in the stream of records
	lost  int64 // bytes of the gaps
	hit   int64 // records that overlap a gap
	last  int64 // the number of the last of them
}

func newOracle() *oracle { return &oracle{checker: newChecker(), last: -1} }

// take checks data that was read.
func (o *oracle) take(data []byte) {
	for !o.begun && len(data) > 0 { // at most one record at a time
		piece := data[:min(recordBytes, len(data))]
		data = data[len(piece):]
		if o.checker.take(piece); o.got > 0 {
			o.begun, o.base = true, o.next-1
			o.place = o.next*recordBytes + int64(len(o.part))
		}
	}
	o.checker.take(data)
	o.place += int64(len(data))
}

// gap records that bytes were lost at the current place.
func (o *oracle) gap(bytes int64) {
	o.part = o.part[:0] // the rest of that record is lost
	first, last := o.place/recordBytes, (o.place+bytes-1)/recordBytes
	o.hit += last + 1 - max(first, o.last+1)
	o.last, o.place, o.lost = last, o.place+bytes, o.lost+bytes
}

// missing returns the number of missing records.
func (o *oracle) missing() int64 { return o.next - o.base - o.got - o.hit }

// tally is the sum over the boots of a stream.
type tally struct {
	boots                                        int
	bytes, records, lost, hit, missing, repeated int64
}

func (t *tally) add(o *oracle) {
	t.boots++
	t.records += o.got
	t.lost += o.lost
	t.hit += o.hit
	t.missing += max(o.missing(), -o.missing()) + o.base
	t.repeated += o.repeated
}
