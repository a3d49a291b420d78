package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"microvm-console/internal/atomicfile"

	"golang.org/x/sys/unix"
)

// CheckPath returns an error if Save could not write a report to path. It changes nothing.
func CheckPath(path string) error {
	if path == "" {
		return fmt.Errorf("invalid file name %q", path)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: exists and is not a regular file", path)
	}
	folder := filepath.Dir(path)
	if err := writable(folder); err != nil {
		return fmt.Errorf("%s: %s cannot be written to: %w", path, folder, err)
	}
	return nil
}

// writable returns an error, without the folder's name, if no file can be created in it.
func writable(folder string) error {
	info, err := os.Stat(folder)
	var failed *os.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("not a folder")
	}
	return unix.Access(folder, unix.W_OK)
}

// Save writes the report to a file, in one of Formats. The file has the whole report or is
// as it was. Every user may read it.
func (r Report) Save(path, format string) error { return r.save(path, format, 0o644) }

func (r Report) save(path, format string, mode fs.FileMode) error {
	err := atomicfile.Write(path, mode, func(w io.Writer) error { return r.Write(w, format) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// SaveAll writes the report to a folder, in every format, for its owner only.
func (r Report) SaveAll(folder string) error {
	for _, format := range formats {
		if err := r.save(filepath.Join(folder, format.file), format.name, 0o600); err != nil {
			return err
		}
	}
	return nil
}
