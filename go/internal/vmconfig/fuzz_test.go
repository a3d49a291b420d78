package vmconfig_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"microvm-console/internal/vmconfig"
)

// Parse does not panic, whatever the file holds, and a valid machine is the same after it was
// written and parsed again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	for _, test := range mistakes {
		f.Add([]byte(test.text))
	}
	for _, test := range diskMistakes {
		f.Add([]byte(disks(test.disks...)))
	}
	for _, test := range checkMistakes {
		f.Add([]byte(checks(test.checks...)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		machine, err := vmconfig.Parse(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(machine)
		if err != nil {
			t.Fatal(err)
		}
		again, err := vmconfig.Parse(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if diff := cmp.Diff(machine, again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// A file that is accepted as a kernel has the header of one, and a file with a Multiboot header
// in the part that QEMU searches is accepted, whatever else is in it.
func FuzzKernel(f *testing.F) {
	const multiboot = "\x02\xb0\xad\x1b\x00\x00\x00\x00\xfe\x4f\x52\xe4"
	for _, text := range []string{bzImage, note(18), note(17), note(18)[:70], "\x7fELF" + multiboot} {
		f.Add([]byte(text), uint16(len(text)/2))
	}
	path := filepath.Join(f.TempDir(), "kernel")
	kernel := func(t *testing.T, text []byte) bool {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return vmconfig.Machine{QEMU: "/bin/sh", Kernel: path}.CheckFiles() == nil
	}
	f.Add([]byte(note(18)), uint16(87)) // after that offset, the note is intact
	marked := func(text []byte) bool {
		for at := 0; at+len(multiboot) <= min(len(text), 8<<10); at += 4 {
			if string(text[at:at+4]) == multiboot[:4] {
				return true
			}
		}
		return len(text) >= 0x206 && string(text[0x202:0x206]) == "HdrS" ||
			bytes.HasPrefix(text, []byte("\x7fELF")) && bytes.Contains(text, []byte("\x12\x00\x00\x00Xen\x00"))
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		at = min(at, uint16(min(len(text), 1<<16-1)))
		with := slices.Concat(text[:at], []byte(multiboot), text[at:])
		for _, file := range [][]byte{text, with} {
			if kernel(t, file) && !marked(file) {
				t.Errorf("%q is a kernel", file)
			}
		}
		if at%4 == 0 && int(at)+len(multiboot) <= 8<<10 && !kernel(t, with) {
			t.Errorf("with Multiboot at %d it is not a kernel", at)
		}
	})
}
