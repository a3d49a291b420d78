package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

// Artifacts that cannot be written are one error, and the others are written.
func TestIncompleteArtifacts(t *testing.T) {
	folder := t.TempDir()
	for _, taken := range []string{"vm.json", "events.json"} {
		if err := os.Mkdir(filepath.Join(folder, taken), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &series{base: folder, kept: []*kept{nil, {folder: folder, machine: vmconfig.Machine{Name: "demo"}, command: "qemu"}}}
	want := "artifacts: " + folder + " lacks vm.json, events.json: open " + folder + "/vm.json: " + unix.EEXIST.Error()
	if err := s.archive(report.Report{Machines: []string{"demo"}}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var names []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if want := []string{"qemu.txt", "report.json", "report.tap", "report.txt", "report.xml"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// A file that cannot be written whole does not exist, except for bytes that no journal has.
func TestCreate(t *testing.T) {
	for _, test := range []struct {
		err  error
		kept bool
	}{
		{nil, true},
		{unix.ENOSPC, false},
		{&journal.GapError{From: 1, To: 2}, true},
	} {
		path := filepath.Join(t.TempDir(), "file")
		err := create(path, func(file *os.File) error {
			_, err := io.WriteString(file, "x")
			return errors.Join(err, test.err)
		})
		if _, missing := os.Stat(path); !errors.Is(err, test.err) || (missing == nil) != test.kept {
			t.Errorf("%v: got %v, %v", test.err, err, missing)
		}
	}
}
