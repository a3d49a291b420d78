package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CheckPath tells, before anything is tested, whether Save could write a report
// there.
func CheckPath(path string) error {
	if path == "" {
		return fmt.Errorf("%q is no name of a file", path)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: exists and is no regular file", path)
	}
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		err = errors.New("no folder")
	}
	if err == nil {
		err = unix.Access(folder, unix.W_OK)
	}
	var stat *os.PathError
	if errors.As(err, &stat) {
		err = stat.Err // what is at fault is named already
	}
	if err != nil {
		return fmt.Errorf("%s: %s cannot be written to: %w", path, folder, err)
	}
	return nil
}

// Save writes the report to a file, in one of Formats, by a temporary file beside
// it: whoever looks there finds the old file or the whole new one.
func (r Report) Save(path, format string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(r.Write(temp, format), temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), os.Remove(temp.Name()))
	}
	return nil
}

// SaveAll writes the report into a folder, in every format.
func (r Report) SaveAll(folder string) error {
	for _, format := range formats {
		if err := r.Save(filepath.Join(folder, format.file), format.name); err != nil {
			return err
		}
	}
	return nil
}
