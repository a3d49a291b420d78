package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"microvm-console/internal/ctl"
)

// oracle judges the records of one boot. A record that is not there is missing unless
// a counted gap has hit it.
type oracle struct {
	*checker
	base  int64 // number of the first record
	begun bool  // a record has come, so that place is known
	place int64 // in the stream of records, in bytes, of what comes next
	lost  int64 // bytes of the gaps
	hit   int64 // records that lie in a gap, whole or in part
	last  int64 // the last one of them
}

func newOracle() *oracle { return &oracle{checker: newChecker(), last: -1} }

// take takes what was read.
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

// gap takes note that bytes were lost just here.
func (o *oracle) gap(bytes int64) {
	o.part = o.part[:0] // the rest of that record is lost
	first, last := o.place/recordBytes, (o.place+bytes-1)/recordBytes
	o.hit += last + 1 - max(first, o.last+1)
	o.last, o.place, o.lost = last, o.place+bytes, o.lost+bytes
}

// missing is how many records should be there and are not.
func (o *oracle) missing() int64 { return o.next - o.base - o.got - o.hit }

// tally is what a stream's boots have come to.
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

// followed is the stream of a console or a channel, read from its first byte on, over all restarts.
type followed struct {
	name    string
	client  ctl.Client
	console string
	boots   bool // each boot prints from record 0 on
	fault   func(format string, values ...any)

	mu      sync.Mutex
	offset  int64    // of what comes next
	start   int64    // of the boot that oracle is about
	told    [2]int64 // the newest gap: its offset, and its bytes
	oracle  *oracle  // nil: nothing has come
	total   tally
	visits  int
	settled int64 // bytes printed, as the printer has counted them
}

// follow reads until ctx ends, and comes again where it was cut off.
func (s *followed) follow(ctx context.Context) {
	for ctx.Err() == nil {
		_ = s.visit(ctx) // a relay, or a VM, that is not there is waited for
		_ = pause(ctx, 50*time.Millisecond)
	}
}

// visit reads to the end of one answer.
func (s *followed) visit(ctx context.Context) error {
	from := strconv.FormatInt(s.read(), 10)
	answer, err := s.client.Stream(ctx, ctl.StreamRequest{Console: s.console, From: from, Gaps: true, Client: "soak"})
	if err != nil {
		return err
	}
	defer answer.Close()
	// If the VM was restarted since, this is the new boot's beginning, where nothing of
	// the answer is any more.
	console, err := s.status(ctx)
	if err != nil {
		return err
	}
	s.attached(answer, console.Relay.Start)
	for data := make([]byte, readBytes); ; {
		n, err := answer.Read(data)
		s.take(data[:n], console.Relay.Start)
		if err != nil {
			return err
		}
	}
}

// attached takes note where an answer begins, and of a gap there.
func (s *followed) attached(answer *ctl.Stream, start int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits++
	if s.oracle == nil {
		s.oracle, s.start = newOracle(), start
	}
	gap := answer.Gap
	if s.told[0] == answer.Offset { // it was told before, if nothing has come since
		gap -= s.told[1]
	}
	switch {
	case answer.Offset != s.offset:
		s.fault("%s: %d was wanted, and %d is the oldest", s.name, s.offset, answer.Offset)
		s.offset = answer.Offset
	case gap < 0:
		s.fault("%s: a gap of unknown size at %d", s.name, s.offset)
	case gap > 0:
		s.oracle.gap(gap)
		s.told = [2]int64{answer.Offset, answer.Gap}
	}
}

// take takes what has come. A boot begins at start.
func (s *followed) take(data []byte, start int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.boots && start > s.start {
		before := min(max(0, start-s.offset), int64(len(data)))
		s.oracle.take(data[:before])
		s.offset += before
		if data = data[before:]; len(data) == 0 {
			return
		}
		s.total.add(s.oracle)
		s.oracle, s.start = newOracle(), start
	}
	s.oracle.take(data)
	s.offset += int64(len(data))
}

// next ends what is counted.
func (s *followed) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.add(s.oracle)
	s.total.bytes, s.oracle = s.offset, newOracle()
}

// read is how much of the stream has come.
func (s *followed) read() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

// status is that of the console, or of the channel's only one.
func (s *followed) status(ctx context.Context) (ctl.Console, error) {
	status, err := s.client.Status(ctx)
	if err != nil {
		return ctl.Console{}, err
	}
	for _, console := range status.Consoles {
		if (s.console == "" || console.Name == s.console) && console.Relay != nil {
			return console, nil
		}
	}
	return ctl.Console{}, fmt.Errorf("%s: no such console", s.name)
}

// settle waits until so many bytes of records have come, or are counted as lost.
func (s *followed) settle(ctx context.Context, printed int64) error {
	err := until(ctx, fmt.Sprintf("%s: %d bytes of records", s.name, printed), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.oracle != nil && s.oracle.place >= printed
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled += printed
	if err == nil && (!s.boots && s.oracle.place != printed || s.oracle.next != printed/recordBytes) {
		s.fault("%s: %d bytes printed, but %d kept or counted as lost, the last record %d",
			s.name, printed, s.oracle.place, s.oracle.next-1)
	}
	return err
}

// checkFiles judges what the journal's files have, boot by boot.
func (s *followed) checkFiles(ctx context.Context, fault func(string, ...any)) error {
	console, err := s.status(ctx)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(console.Relay.Journal, "*.log")) // by name: in their order
	if err != nil {
		return err
	}
	boots := map[string]*oracle{}
	for _, path := range files {
		words := strings.Split(filepath.Base(path), ".") // <offset>.<boot>.log
		offset, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		boot := words[1]
		if !s.boots {
			boot = ""
		}
		if boots[boot] == nil {
			boots[boot] = newOracle()
		}
		if err := boots[boot].file(path, offset, console.Relay.Gaps); err != nil {
			return err
		}
	}
	for boot, o := range boots {
		if o.missing() != 0 || o.repeated != 0 {
			fault("%s: the journal's files of boot %s: missing %d, repeated %d", s.name, boot, o.missing(), o.repeated)
		}
	}
	return nil
}

// file takes a journal's file that begins at offset.
func (o *oracle) file(path string, offset int64, gaps []ctl.Gap) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	for _, gap := range gaps {
		if at := gap.Offset - offset; at >= 0 && at < int64(len(data)) {
			o.take(data[:at])
			if o.part = o.part[:0]; o.begun {
				o.gap(gap.Bytes)
			}
			data, offset = data[at:], gap.Offset
		}
	}
	o.take(data)
	return err
}
