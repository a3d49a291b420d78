// Package atomicfile replaces a file at once: whatever goes wrong, there is the old file
// or the whole new one.
package atomicfile

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write calls write with a temporary file in the folder of path, and gives that file the
// name path if write succeeds. The temporary file never stays.
func Write(path string, mode fs.FileMode, write func(io.Writer) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // not there if it was renamed
	defer temp.Close()           // again: only the first time counts
	if err := write(temp); err != nil {
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
