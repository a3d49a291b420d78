package diskfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/diskfile"
)

// mkfs puts a shell script as mkfs.ext4 into PATH. $4 is the file.
func mkfs(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mkfs.ext4"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// begin returns the beginning of a file.
func begin(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data := make([]byte, 8)
	if _, err := file.Read(data); err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(string(data), "\x00")
}

func TestPrepare(t *testing.T) {
	mkfs(t, `printf new | dd of="$4" conv=notrunc status=none`)
	for fs, want := range map[string]string{"ext4": "new", "": ""} {
		path := filepath.Join(t.TempDir(), "vm", "data.raw")
		disk := diskfile.File{Path: path, SizeMiB: 64, FS: fs}
		made, err := disk.Prepare(t.Context())
		if err != nil || !made {
			t.Fatal(made, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() != 64<<20 || info.Mode() != 0o600 || begin(t, path) != want {
			t.Errorf("fs %q: %v, %d bytes, mode %v, begins with %q", fs, err, info.Size(), info.Mode(), begin(t, path))
		}
		if err := errors.Join(os.WriteFile(path, []byte("kept"), 0o600), os.Truncate(path, 64<<20)); err != nil {
			t.Fatal(err)
		}
		if made, err := disk.Prepare(t.Context()); made || err != nil || begin(t, path) != "kept" {
			t.Errorf("the second time: made %t, %v, begins with %q", made, err, begin(t, path))
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("in the directory: %v", entries)
		}
	}
}

// A file that was left by a process that was killed is neither used nor in the way, even if that
// process's mkfs still writes to it.
func TestPrepareAfterAKilledStart(t *testing.T) {
	mkfs(t, "true")
	path := filepath.Join(t.TempDir(), "data.raw")
	left, err := os.Create(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if _, err := (diskfile.File{Path: path, SizeMiB: 4, FS: "ext4"}).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := left.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	if got := begin(t, path); got != "" {
		t.Errorf("the new disk begins with %q", got)
	}
}

func TestPrepareErrors(t *testing.T) {
	tests := []struct {
		name, script string
		prepare      func(path string) error // before Prepare
		want         string
	}{
		{"mkfs fails", "echo no space >&2; exit 3", nil, "mkfs.ext4 ended with status 3: no space"},
		{"smaller", "", truncate(32), "PATH has 32 MiB, not 64 (set sizeMiB to 32, or enlarge it: e2fsck -f PATH && resize2fs PATH 64M)"},
		{"larger", "", truncate(128), "PATH has 134217728 bytes, not 64 MiB (set sizeMiB to its size, or remove it to begin with a new disk)"},
		{"a directory", "", func(path string) error { return os.Mkdir(path, 0o700) }, "PATH is not a regular file (remove it, or set path instead of sizeMiB)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mkfs(t, test.script)
			dir := t.TempDir()
			path := filepath.Join(dir, "data.raw")
			if test.prepare != nil {
				if err := test.prepare(path); err != nil {
					t.Fatal(err)
				}
			}
			_, err := diskfile.File{Path: path, SizeMiB: 64, FS: "ext4"}.Prepare(t.Context())
			if err == nil || !strings.HasSuffix(strings.ReplaceAll(err.Error(), path, "PATH"), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the temporary file is left: %v", err)
			}
		})
	}
}

func TestPrepareWithoutMkfs(t *testing.T) {
	_, err := diskfile.File{Path: filepath.Join(t.TempDir(), "data.raw"), SizeMiB: 64, FS: "nosuch"}.Prepare(t.Context())
	if want := "mkfs.nosuch not found (install the package e2fsprogs)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// truncate returns a function that makes a file of a size in MiB.
func truncate(mebibytes int64) func(string) error {
	return func(path string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, mebibytes<<20))
	}
}

// A start that is interrupted does not wait for mkfs, and leaves nothing.
func TestPrepareIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	mkfs(t, fmt.Sprintf("touch %s/begun; exec sleep 1000", dir))
	path := filepath.Join(dir, "data.raw")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := (diskfile.File{Path: path, SizeMiB: 64, FS: "ext4"}).Prepare(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}
