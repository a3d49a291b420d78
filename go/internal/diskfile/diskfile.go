// Package diskfile makes the files of a VM's own disks: sparse raw images, empty or with a file
// system.
//
// A file appears under its name only when it is complete. The caller holds a lock, so that no other
// process makes the same file.
package diskfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"microvm-console/internal/process"
)

// File is the file of a disk.
type File struct {
	Path    string
	SizeMiB int
	FS      string // "ext4", or "" for an empty disk
}

const mebibyte = 1 << 20

// Prepare makes the file, mode 0600, and its directory unless they exist. It reports whether it has
// made the file. It returns an error if an existing file is not a regular file of that size.
func (f File) Prepare(ctx context.Context) (made bool, err error) {
	info, err := os.Stat(f.Path)
	switch {
	case err == nil:
		return false, f.check(info)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return false, err
	}
	return true, f.make(ctx)
}

// check returns an error unless the existing file has the size of the disk.
func (f File) check(info fs.FileInfo) error {
	want := int64(f.SizeMiB) * mebibyte
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file (remove it, or set path instead of sizeMiB)", f.Path)
	case info.Size() == want:
		return nil
	case info.Size() > want || info.Size()%mebibyte != 0:
		return fmt.Errorf("%s has %d bytes, not %d MiB (set sizeMiB to its size, or remove it to begin with a new disk)", f.Path, info.Size(), f.SizeMiB)
	}
	grow := fmt.Sprintf("truncate --size %dM %s", f.SizeMiB, f.Path)
	if f.FS != "" {
		grow = fmt.Sprintf("e2fsck -f %s && resize2fs %s %dM", f.Path, f.Path, f.SizeMiB)
	}
	return fmt.Errorf("%s has %d MiB, not %d (set sizeMiB to %[2]d, or enlarge it: %[4]s)", f.Path, info.Size()/mebibyte, f.SizeMiB, grow)
}

// make makes the file under a temporary name, and renames it. It removes the temporary file of a
// process that was killed, to which a program of that process may still write.
func (f File) make(ctx context.Context) error {
	fresh := f.Path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(fresh) // fails after the rename
	defer file.Close()
	if err := file.Truncate(int64(f.SizeMiB) * mebibyte); err != nil {
		return err
	}
	if f.FS != "" {
		if err := makeFS(ctx, f.FS, fresh); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(fresh, f.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Path))
}

// syncDir writes a directory to its disk, so that a new name in it survives a crash of the host.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// makeFS makes a file system in a file. When ctx ends, it kills the program that does.
func makeFS(ctx context.Context, kind, path string) error {
	program, err := find("mkfs." + kind)
	if err != nil {
		return err
	}
	// -F: do not ask because the file is not a device.
	mkfs, err := process.Start(process.Command{Argv: []string{program, "-q", "-F", "--", path}, Env: process.SmallEnvironment()})
	if err != nil {
		return err
	}
	select {
	case <-mkfs.Done():
	case <-ctx.Done():
		mkfs.Kill()
		return context.Cause(ctx)
	}
	if status := mkfs.Exit(); status != 0 {
		return fmt.Errorf("%s ended with status %d: %s", program, status, mkfs.Stderr())
	}
	return nil
}

// find returns the path of a program of the administrator. An ordinary user's PATH may lack the
// directories of such programs.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s not found (install the package e2fsprogs)", name)
}
