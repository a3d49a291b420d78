package relay

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// segmentFile is a segment of a journal. Its name has the offset of its first byte and the number
// of its boot.
type segmentFile struct {
	path  string
	start int64
	boot  int
	size  int64
}

// listSegments returns the segments of a journal in their order.
func listSegments(dir string) ([]segmentFile, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	var files []segmentFile
	for _, path := range paths {
		file := segmentFile{path: path}
		if _, err := fmt.Sscanf(filepath.Base(path), "%020d.%06d.log", &file.start, &file.boot); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		file.size = info.Size()
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b segmentFile) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.boot, b.boot))
	})
	return files, nil
}

// journalFiles has the files of a growing journal, with which the bytes of clients are compared.
// The journal must not drop a segment meanwhile.
type journalFiles struct {
	dir, name string

	mu     sync.Mutex
	files  []segmentFile
	opened map[string]*os.File
	boots  map[int]int64 // the offset of each boot of a printer
}

func openJournal(t *testing.T, name string) *journalFiles {
	k := &journalFiles{dir: journalDir(t, name), name: name, opened: map[string]*os.File{}, boots: map[int]int64{}}
	t.Cleanup(func() {
		for _, file := range k.opened {
			file.Close()
		}
	})
	return k
}

// at returns the file that has the byte at offset, and the range of its offsets: start is its
// first one, end the first one after it.
func (k *journalFiles) at(offset int64, again bool) (file *os.File, start, end int64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if again || k.files == nil {
		if k.files, err = listSegments(k.dir); err != nil {
			return nil, 0, 0, err
		}
	}
	i, _ := slices.BinarySearchFunc(k.files, offset, func(f segmentFile, offset int64) int {
		if f.start <= offset {
			return -1
		}
		return 1
	})
	if i == 0 {
		return nil, 0, 0, fmt.Errorf("offset %d: not in any file", offset)
	}
	end = 1 << 62
	if i < len(k.files) {
		end = k.files[i].start
	}
	here := k.files[i-1]
	if k.opened[here.path] == nil {
		if k.opened[here.path], err = os.Open(here.path); err != nil {
			return nil, 0, 0, err
		}
	}
	return k.opened[here.path], here.start, end, nil
}

// compare returns an error unless the journal has data at offset.
func (k *journalFiles) compare(offset int64, data []byte) error {
	for again := false; len(data) > 0; {
		file, start, end, err := k.at(offset, again)
		if err != nil {
			return err
		}
		part := make([]byte, min(int64(len(data)), end-offset))
		n, err := file.ReadAt(part, offset-start)
		if n == 0 && again {
			return fmt.Errorf("offset %d: %d bytes that are not in the journal: %w", offset, len(data), err)
		}
		if !bytes.Equal(part[:n], data[:n]) {
			return fmt.Errorf("offset %d: got %.70q, the journal has %.70q", offset, data[:n], part[:n])
		}
		again = n == 0
		offset, data = offset+int64(n), data[n:]
	}
	return nil
}

// find returns the offset of a whole line, from its numbers, and the number of the line.
func (k *journalFiles) find(line []byte) (offset int64, number int, err error) {
	boot, number, ok := parseLine(line, k.name)
	if !ok {
		return 0, 0, fmt.Errorf("%.70q is not a line", line)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.boots[boot]; !known {
		files, err := listSegments(k.dir)
		if err != nil {
			return 0, 0, err
		}
		for i, file := range files {
			first := make([]byte, lineBytes)
			if i == 0 || file.boot != files[i-1].boot {
				readHead(file.path, first)
			}
			if tag, number, ok := parseLine(first, k.name); ok && number == 0 {
				k.boots[tag] = file.start
			}
		}
	}
	start, known := k.boots[boot]
	if !known {
		return 0, 0, fmt.Errorf("%.70q is a line of an unknown boot", line)
	}
	return start + int64(number)*lineBytes, number, nil
}

// readHead reads the start of a file, as far as it fills into.
func readHead(path string, into []byte) {
	if file, err := os.Open(path); err == nil {
		defer file.Close()
		file.Read(into)
	}
}
