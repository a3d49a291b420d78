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

// indexEvery is the least time between two entries.
const indexEvery = 10 * time.Millisecond

// indexWriter writes when which offset was reached. What it cannot write is not
// noted: no byte depends on it.
type indexWriter struct {
	file *os.File
	size int64 // of whole entries
	last time.Time
}

func openIndex(path string) (*indexWriter, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &indexWriter{file: file, size: info.Size() - info.Size()%entryBytes}, nil
}

// due tells whether the last note is old enough for another one.
func (w *indexWriter) due(now time.Time) bool { return now.Sub(w.last) >= indexEvery }

// note notes that the byte at offset came at now.
func (w *indexWriter) note(offset int64, now time.Time) {
	w.last = now
	var entry [entryBytes]byte
	binary.LittleEndian.PutUint64(entry[:], uint64(offset))
	binary.LittleEndian.PutUint64(entry[8:], uint64(now.UnixNano()))
	if _, err := w.file.WriteAt(entry[:], w.size); err == nil {
		w.size += entryBytes
	}
}

func (w *indexWriter) close() error { return w.file.Close() }

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
