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

// newSuffix is appended to the name of a file while its replacement is written.
const newSuffix = ".new"

// maxLine is the maximum length of a line that is parsed, in bytes.
const maxLine = 16 << 10

// lineFile is a file with one JSON record per line. Records are appended, and the file is
// rewritten once it is too long. The stream does not depend on it: records that cannot be
// written are written later, and an incomplete line is skipped.
type lineFile[T any] struct {
	path   string
	most   int  // number of appended lines after which the file is rewritten
	lines  int  // lines appended so far
	stale  bool // the file has to be rewritten
	closed bool // nothing is written any more
}

// append adds a record to the file. all are the records including this one.
func (f *lineFile[T]) append(record T, all []T) {
	switch {
	case f.closed:
		return
	case f.stale:
		_ = f.save(all) // if this fails, the next call tries again
		return
	}
	line, err := json.Marshal(record)
	if err == nil {
		// The leading line feed ends a line that was cut off by a full disk.
		err = writeFile(f.path, os.O_APPEND, append([]byte("\n"), line...))
	}
	f.lines++
	f.stale = err != nil || f.lines > f.most
}

// save rewrites the file if it is stale.
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

// read returns the content of the file, or nil if it does not exist.
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

// parseLines returns the records in text. It skips lines that are not valid.
func parseLines[T any](text []byte) (all []T) {
	for line := range bytes.Lines(text) {
		var record T
		if len(line) <= maxLine && json.Unmarshal(line, &record) == nil {
			all = append(all, record)
		}
	}
	return all
}

// shortage reports whether err means that the system is temporarily short of a resource,
// such as disk space or file descriptors.
func shortage(err error) bool {
	return noSpace(err) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EINTR)
}

// writeFile is os.WriteFile with additional flags.
func writeFile(path string, flags int, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW|flags, modeIn(filepath.Dir(path)))
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// printable replaces control characters, which a terminal might interpret. The files may
// have been written by other programs.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
