package journal

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// indexSuffix is appended to the name of a segment's file for the name of its index.
const indexSuffix = ".index"

// entryBytes is the size of an index entry: offset and time (Unix, in ns), little-endian,
// 8 bytes each.
const entryBytes = 16

// markEvery is the minimum time between two index entries, and between two records of the
// end of the stream.
const markEvery = 10 * time.Millisecond

// indexWriter writes at what time each offset was reached. It opens its file on the first
// entry. Errors are ignored, because the index is optional.
type indexWriter struct {
	path  string
	flags int      // of the first open(2)
	file  *os.File // nil before it is opened
	size  int64    // size of the whole entries, in bytes
}

// open opens the file if necessary, and reports whether it is open.
func (w *indexWriter) open() bool {
	if w.file != nil {
		return true
	}
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW|w.flags, modeIn(filepath.Dir(w.path)))
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

// note adds an entry: the byte at offset was written at now.
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

// Mark is an index entry: the byte at Offset was written at Time.
type Mark struct {
	Offset int64
	Time   time.Time
}

// readIndex reads the marks of one segment. It stops at an incomplete entry or at a
// decreasing offset.
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
