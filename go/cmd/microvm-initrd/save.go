package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// save lets write write to standard output, or, where path is not "", to a
// temporary file that gets the name path once it is complete: whatever goes
// wrong, a signal included, path is the old file or the new one.
func save(c *cli.Context, path string, write func(io.Writer) error) error {
	if path == "" {
		return write(c.App.Writer)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return cmdline.Usage("output %s: exists and is no regular file", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	err = write(temp)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close(), c.Err())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("output %s: %w", path, err), removed(temp.Name()))
	}
	return nil
}

// removed removes a file that may be gone.
func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
