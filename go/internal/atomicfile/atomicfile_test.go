package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"microvm-console/internal/atomicfile"
)

// text returns a function that writes what and then returns failure.
func text(what string, failure error) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, what); err != nil {
			return err
		}
		return failure
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path, failure := filepath.Join(dir, "file"), errors.New("half way")
	for _, step := range []struct {
		write func(io.Writer) error
		err   error
		want  string
	}{
		{text("old", nil), nil, "old"},
		{text("new", failure), failure, "old"},
		{text("new", nil), nil, "new"},
	} {
		if err := atomicfile.Write(path, 0o640, step.write); !errors.Is(err, step.err) {
			t.Errorf("got %v, want %v", err, step.err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != step.want {
			t.Errorf("%v, the file is %q, want %q", err, got, step.want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, the folder has %v", err, entries)
	}
}

// A path that is a folder is not replaced.
func TestWriteOverAFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, 0o600, text("x", nil)); err == nil {
		t.Error("the folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, the folder beside it has %v", err, entries)
	}
}
