package journal

import (
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// bootsName is the file of what is known of boots.
const bootsName = "boots"

// maxRestarts bounds how many restarts are kept of a boot: the newest.
const maxRestarts = 100

// ErrNotKept is returned for a boot of which nothing is kept: it is too long ago, or never
// was.
var ErrNotKept = errors.New("is not kept")

// Boot is one boot of which something is kept.
type Boot struct {
	Number   int       `json:"number"`             // from 1; 0: before the first mark
	Start    int64     `json:"start"`              // offset of its first byte that is kept
	End      int64     `json:"end"`                // offset behind its last byte
	Started  time.Time `json:"started"`            // zero: unknown
	Ended    time.Time `json:"ended"`              // zero: it goes on, or its writer was killed; see Last
	How      string    `json:"how"`                // how it ended, such as "powered off"; "" if Ended is zero
	Last     time.Time `json:"last"`               // when its last byte came, by the index; zero: unknown
	Restarts []Restart `json:"restarts,omitempty"` // the guest's own restarts, the newest 100
}

// Restart is a restart of the guest within a boot: its QEMU went on.
type Restart struct {
	Offset int64     `json:"offset"` // where the stream ended then
	Time   time.Time `json:"time"`
}

// bootRecord is what the file has of a boot. The last line of a number counts.
type bootRecord struct {
	Number   int       `json:"number"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	How      string    `json:"how,omitempty"`
	Restarts []Restart `json:"restarts,omitempty"`
}

// bootLog is what is known of boots.
type bootLog struct {
	boots []bootRecord // by number
	file  lineFile[bootRecord]
}

func newBootLog(dir string) *bootLog {
	return &bootLog{file: lineFile[bootRecord]{path: filepath.Join(dir, bootsName), most: 1000}}
}

// open reads the file. An error is a shortage; a file that cannot be read for another
// reason is set aside.
func (l *bootLog) open() error {
	text, err := l.file.read()
	if shortage(err) {
		return err
	}
	if err != nil {
		_ = setAside(l.file.path) // else it stays
	}
	l.boots = parseBoots(text)
	return nil
}

// parseBoots reads records, of which the last one of a number counts.
func parseBoots(text []byte) (all []bootRecord) {
	for _, record := range parseLines[bootRecord](text) {
		if record.Number < 1 || record.Number > maxBoot {
			continue
		}
		record.How = printable(record.How)
		if len(record.Restarts) > maxRestarts {
			record.Restarts = record.Restarts[len(record.Restarts)-maxRestarts:]
		}
		*recordOf(&all, record.Number) = record
	}
	return all
}

// recordOf returns the record of a boot, which it makes if there is none.
func recordOf(all *[]bootRecord, number int) *bootRecord {
	at, found := slices.BinarySearchFunc(*all, number, func(b bootRecord, number int) int { return b.Number - number })
	if !found {
		*all = slices.Insert(*all, at, bootRecord{Number: number})
	}
	return &(*all)[at]
}

// begin notes that a boot begins.
func (l *bootLog) begin(number int) {
	record := recordOf(&l.boots, number)
	*record = bootRecord{Number: number, Started: time.Now().UTC()}
	l.file.append(*record, l.boots)
}

// end notes how a boot has ended, unless that is known.
func (l *bootLog) end(number int, how string) {
	record := recordOf(&l.boots, number)
	if !record.Ended.IsZero() {
		return
	}
	record.Ended, record.How = time.Now().UTC(), how
	l.file.append(*record, l.boots)
}

// restart notes that the guest has restarted at offset.
func (l *bootLog) restart(number int, offset int64) {
	record := recordOf(&l.boots, number)
	record.Restarts = append(record.Restarts, Restart{Offset: offset, Time: time.Now().UTC()})
	if len(record.Restarts) > maxRestarts {
		record.Restarts = record.Restarts[1:]
	}
	l.file.append(*record, l.boots)
}

// forget removes the records of boots of which no segment is left.
func (l *bootLog) forget(left segments) {
	before := len(l.boots)
	l.boots = slices.DeleteFunc(l.boots, func(record bootRecord) bool {
		_, found := slices.BinarySearchFunc(left, record.Number, func(s segment, number int) int { return s.boot - number })
		return !found
	})
	l.file.stale = l.file.stale || len(l.boots) < before
}

// Boot marks the place where a boot begins, and returns its number: 1 for the
// first one, then one more each time. What comes before the first mark is of boot 0.
func (j *Journal) Boot() (int, error) {
	defer j.exclusive()()
	if j.closed {
		return 0, ErrClosed
	}
	last := j.store.last()
	next := segment{start: last.end(), boot: last.boot + 1}
	if err := j.begin(next); err != nil {
		return 0, err
	}
	j.store.boots.begin(next.boot)
	j.store.retain(time.Now())
	return next.boot, nil
}

// BootNumber returns the number of the newest boot, from 1; 0 before the first one. It
// counts the boots that printed nothing too.
func (j *Journal) BootNumber() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.last().boot
}

// BootRange returns where a boot begins and ends: 0 is the newest, -1 the one before, and
// so on, of those that Snapshot.Boots returns. The newest one has not ended: its end is
// where the stream ends now. The error is ErrNotKept if nothing is kept of a boot; the newest
// one is where the stream ends if nothing was ever printed.
func (j *Journal) BootRange(back int) (start, end int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	boots, end := j.store.segments.boots(), j.store.last().end()
	if len(boots) == 0 && back == 0 {
		return end, end, nil
	}
	boot, err := choose(boots, back)
	return boot.Start, boot.End, err
}

// EndBoot records how the newest boot has ended. The first call for a boot counts; before
// the first boot, and after Close, it does nothing.
func (j *Journal) EndBoot(how string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if number := j.store.last().boot; number > 0 {
		j.store.boots.end(number, printable(how))
	}
}

// NoteRestart records that the guest has restarted by itself, at the present end of the
// stream. Before the first boot, and after Close, it does nothing.
func (j *Journal) NoteRestart() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if last := j.store.last(); last.boot > 0 {
		j.store.boots.restart(last.boot, last.end())
	}
}
