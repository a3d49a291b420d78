package journal

import (
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// bootsName is the name of the file with the records of boots.
const bootsName = "boots"

// maxRestarts is the maximum number of restarts stored for a boot; the newest are kept.
const maxRestarts = 100

// ErrNotKept is returned for a boot of which nothing is kept: it is too old, or never
// existed.
var ErrNotKept = errors.New("is not kept")

// Boot describes a boot of which something is kept.
type Boot struct {
	Number   int       `json:"number"`             // from 1; 0: output before the first call to Boot
	Start    int64     `json:"start"`              // offset of the first byte that is kept
	End      int64     `json:"end"`                // offset just after the last byte
	Started  time.Time `json:"started"`            // zero if unknown
	Ready    time.Time `json:"ready,omitzero"`     // when the guest was ready for the first time; zero if it never was, or unknown
	ReadyBy  string    `json:"readyBy,omitempty"`  // what showed that, such as "login on ttyS0"; "" if Ready is zero
	Ended    time.Time `json:"ended"`              // zero if the boot has not ended, or its writer was killed; see Last
	How      string    `json:"how"`                // exit cause, such as "powered off"; "" if Ended is zero
	Last     time.Time `json:"last"`               // when the last byte was written, by the index; zero if unknown
	Restarts []Restart `json:"restarts,omitempty"` // restarts by the guest itself, the newest 100
}

// Restart is a restart of the guest within a boot, during which its QEMU keeps running.
type Restart struct {
	Offset int64     `json:"offset"` // end of the stream at that time
	Time   time.Time `json:"time"`
}

// bootRecord is a line of the boots file. The last line for a number is valid.
type bootRecord struct {
	Number   int       `json:"number"`
	Started  time.Time `json:"started,omitzero"`
	Ready    time.Time `json:"ready,omitzero"`
	ReadyBy  string    `json:"readyBy,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
	How      string    `json:"how,omitempty"`
	Restarts []Restart `json:"restarts,omitempty"`
}

// bootLog holds the records of boots.
type bootLog struct {
	boots []bootRecord // sorted by number
	file  lineFile[bootRecord]
}

func newBootLog(dir string) *bootLog {
	return &bootLog{file: lineFile[bootRecord]{path: filepath.Join(dir, bootsName), most: 1000}}
}

// open reads the file. It returns an error only for a temporary shortage; see shortage. A
// file that cannot be read for another reason is set aside.
func (l *bootLog) open() error {
	text, err := l.file.read()
	if shortage(err) {
		return err
	}
	if err != nil {
		_ = setAside(l.file.path) // if this fails, the file stays
	}
	l.boots = parseBoots(text)
	return nil
}

// parseBoots parses records. The last one for a number is valid.
func parseBoots(text []byte) (all []bootRecord) {
	for _, record := range parseLines[bootRecord](text) {
		if record.Number < 1 || record.Number > maxBoot {
			continue
		}
		record.How, record.ReadyBy = printable(record.How), printable(record.ReadyBy)
		if len(record.Restarts) > maxRestarts {
			record.Restarts = record.Restarts[len(record.Restarts)-maxRestarts:]
		}
		*recordOf(&all, record.Number) = record
	}
	return all
}

// recordOf returns the record of a boot, and adds one if there is none.
func recordOf(all *[]bootRecord, number int) *bootRecord {
	at, found := slices.BinarySearchFunc(*all, number, func(b bootRecord, number int) int { return b.Number - number })
	if !found {
		*all = slices.Insert(*all, at, bootRecord{Number: number})
	}
	return &(*all)[at]
}

// begin records the start of a boot.
func (l *bootLog) begin(number int) {
	record := recordOf(&l.boots, number)
	*record = bootRecord{Number: number, Started: time.Now().UTC()}
	l.file.append(*record, l.boots)
}

// ready records what has shown that the guest of a boot is ready, unless that is recorded already.
func (l *bootLog) ready(number int, by string) {
	record := recordOf(&l.boots, number)
	if !record.Ready.IsZero() {
		return
	}
	record.Ready, record.ReadyBy = time.Now().UTC(), by
	l.file.append(*record, l.boots)
}

// end records how a boot has ended, unless that is recorded already.
func (l *bootLog) end(number int, how string) {
	record := recordOf(&l.boots, number)
	if !record.Ended.IsZero() {
		return
	}
	record.Ended, record.How = time.Now().UTC(), how
	l.file.append(*record, l.boots)
}

// restart records that the guest restarted at offset.
func (l *bootLog) restart(number int, offset int64) {
	record := recordOf(&l.boots, number)
	record.Restarts = append(record.Restarts, Restart{Offset: offset, Time: time.Now().UTC()})
	if len(record.Restarts) > maxRestarts {
		record.Restarts = record.Restarts[1:]
	}
	l.file.append(*record, l.boots)
}

// forget removes the records of boots that have no segment left.
func (l *bootLog) forget(left segments) {
	before := len(l.boots)
	l.boots = slices.DeleteFunc(l.boots, func(record bootRecord) bool {
		_, found := slices.BinarySearchFunc(left, record.Number, func(s segment, number int) int { return s.boot - number })
		return !found
	})
	l.file.stale = l.file.stale || len(l.boots) < before
}

// Boot begins a boot at the end of the stream, and returns its number: 1 for the first
// boot, then one more each time. Output before the first call belongs to boot 0.
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

// BootNumber returns the number of the newest boot, from 1, or 0 before the first one.
// Boots that printed nothing count too.
func (j *Journal) BootNumber() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.last().boot
}

// BootRange returns the offsets at which a boot begins and ends: 0 is the newest boot, -1
// the one before, and so on, counting the boots that Snapshot.Boots returns. The end of
// the newest boot is the current end of the stream. If nothing was ever printed, boot 0
// is empty. BootRange returns ErrNotKept if nothing is kept of the boot.
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

// EndBoot records how the newest boot has ended. Only the first call for a boot counts.
// EndBoot does nothing before the first boot and after Close.
func (j *Journal) EndBoot(how string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if number := j.store.last().boot; number > 0 {
		j.store.boots.end(number, printable(how))
	}
}

// NoteReady records that the guest is ready, and what has shown that. Only the first call for a
// boot counts. It does nothing before the first boot and after Close.
func (j *Journal) NoteReady(by string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if number := j.store.last().boot; number > 0 {
		j.store.boots.ready(number, printable(by))
	}
}

// NoteRestart records that the guest has restarted by itself, at the current end of the
// stream. It does nothing before the first boot and after Close.
func (j *Journal) NoteRestart() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if last := j.store.last(); last.boot > 0 {
		j.store.boots.restart(last.boot, last.end())
	}
}
