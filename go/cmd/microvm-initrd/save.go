package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/atomicfile"
	"microvm-console/internal/cmdline"
)

// save calls write with the file at path, which it replaces atomically, or with standard
// output if path is "". If a signal ends the program, the old file stays.
func save(c *cli.Context, path string, write func(io.Writer) error) error {
	if path == "" {
		return write(c.App.Writer)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return cmdline.Usage("output %s: exists and is not a regular file", path)
	}
	err := atomicfile.Write(path, 0o644, func(w io.Writer) error {
		if err := write(w); err != nil {
			return err
		}
		return c.Err()
	})
	if err != nil {
		return fmt.Errorf("output %s: %w", path, err)
	}
	return nil
}
