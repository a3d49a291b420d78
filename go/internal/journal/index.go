package journal

import (
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// indexSuffix is added to a segment's name for its index.
const indexSuffix = ".index"

// entryBytes is the size of an index entry: offset and time (Unix, in ns),
// little-endian, 8 bytes each.
const entryBytes = 16

// markEvery is the least time between two entries, and between two records of the
// stream's end.
const markEvery = 10 * time.Millisecond

// indexWriter writes when which offset was reached. It opens its file with the
// first note. What it cannot write is not noted: no byte depends on it.
type indexWriter struct {
	path  string
	flags int      // of open(2), for the first time
	file  *os.File // nil: not open yet
	size  int64    // of whole entries
}

// open opens the file, unless it is open, and reports whether it is.
func (w *indexWriter) open() bool {
	if w.file != nil {
		return true
	}
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW|w.flags, 0o600)
	if err != nil {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return false
	}
	w.file, w.size = file, info.Size()-info.Size()%entryBytes
	return true
}

// note notes that the byte at offset came at now.
func (w *indexWriter) note(offset int64, now time.Time) {
	if !w.open() {
		return
	}
	var entry [entryBytes]byte
	binary.LittleEndian.PutUint64(entry[:], uint64(offset))
	binary.LittleEndian.PutUint64(entry[8:], uint64(now.UnixNano()))
	if _, err := w.file.WriteAt(entry[:], w.size); err == nil {
		w.size += entryBytes
	}
}

func (w *indexWriter) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// Mark says that the byte at Offset came at Time.
type Mark struct {
	Offset int64
	Time   time.Time
}

// readIndex reads the marks of one segment. A torn entry at the end, or one
// that goes back, ends it: the bytes do not depend on it.
func readIndex(path string) ([]Mark, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var marks []Mark
	for ; len(data) >= entryBytes; data = data[entryBytes:] {
		mark := Mark{
			Offset: int64(binary.LittleEndian.Uint64(data)),
			Time:   time.Unix(0, int64(binary.LittleEndian.Uint64(data[8:]))),
		}
		if len(marks) > 0 && mark.Offset < marks[len(marks)-1].Offset {
			break
		}
		marks = append(marks, mark)
	}
	return marks, nil
}
