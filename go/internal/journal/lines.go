package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// newSuffix is added to the name of a file that is being written to replace another one.
const newSuffix = ".new"

// maxLine is the size of the longest line that is read, in bytes.
const maxLine = 16 << 10

// lineFile is a list of records in a file, one JSON line each: appended, and written again
// once it is too long. No byte of the stream depends on it: what cannot be written now is
// written later, and a line that is torn is passed over.
type lineFile[T any] struct {
	path   string
	most   int  // appended lines after which the file is written again
	lines  int  // that have been appended
	stale  bool // it has to be written again
	closed bool // nothing is written any more
}

// append adds a record to the file, whose records are all then.
func (f *lineFile[T]) append(record T, all []T) {
	switch {
	case f.closed:
		return
	case f.stale:
		_ = f.save(all) // else the next time
		return
	}
	line, err := json.Marshal(record)
	if err == nil {
		// A line feed in front ends a line that a full disk has cut.
		err = writeFile(f.path, os.O_APPEND, append([]byte("\n"), line...))
	}
	f.lines++
	f.stale = err != nil || f.lines > f.most
}

// save writes the file again if it is stale.
func (f *lineFile[T]) save(all []T) error {
	if !f.stale || f.closed {
		return nil
	}
	var text []byte
	for _, record := range all {
		line, err := json.Marshal(record)
		if err != nil {
			return err
		}
		text = append(append(text, line...), '\n')
	}
	err := writeFile(f.path+newSuffix, os.O_TRUNC, text)
	if err == nil {
		err = os.Rename(f.path+newSuffix, f.path)
	}
	if err != nil {
		_ = os.Remove(f.path + newSuffix)
		return fmt.Errorf("%s: %w", filepath.Base(f.path), err)
	}
	f.lines, f.stale = len(all), false
	return nil
}

// read returns the text of the file; none if it does not exist.
func (f *lineFile[T]) read() ([]byte, error) {
	info, err := os.Lstat(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return os.ReadFile(f.path)
}

// parseLines returns the records in text. A line that is not one is passed over.
func parseLines[T any](text []byte) (all []T) {
	for line := range bytes.Lines(text) {
		var record T
		if len(line) <= maxLine && json.Unmarshal(line, &record) == nil {
			all = append(all, record)
		}
	}
	return all
}

// shortage reports whether err is that of a system that has too little of something for
// now.
func shortage(err error) bool {
	return noSpace(err) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EINTR)
}

// writeFile is os.WriteFile with other flags.
func writeFile(path string, flags int, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// printable returns text without what a terminal might obey: other programs write files
// too.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
