package spec_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"microvm-console/internal/spec"
)

// FuzzParse wants no panic whatever the file holds, and a machine that is
// valid to be the same machine when it has been written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	for _, test := range mistakes {
		f.Add([]byte(test.text))
	}
	for _, test := range checkMistakes {
		f.Add([]byte(checks(test.checks...)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		machine, err := spec.Parse(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(machine)
		if err != nil {
			t.Fatal(err)
		}
		again, err := spec.Parse(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if diff := cmp.Diff(machine, again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// A file that is taken for a kernel has the mark of one, and one that has the mark of
// Multiboot where QEMU looks for it is a kernel, whatever else is in it.
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
		return spec.Machine{QEMU: "/bin/sh", Kernel: path}.CheckFiles() == nil
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		marked := len(text) >= 0x206 && string(text[0x202:0x206]) == "HdrS" || bytes.Contains(text, []byte(multiboot[:4])) ||
			bytes.HasPrefix(text, []byte("\x7fELF")) && bytes.Contains(text, []byte("\x12\x00\x00\x00Xen\x00"))
		if found := kernel(t, text); found && !marked {
			t.Errorf("%q is a kernel", text)
		} else if found || int(at) > len(text) {
			return
		}
		with := append(bytes.Clone(text[:at]), multiboot...)
		with = append(with, text[at:]...)
		if within := at%4 == 0 && len(multiboot)+int(at) <= 8<<10; within != kernel(t, with) {
			t.Errorf("with Multiboot at %d it is a kernel: %t", at, !within)
		}
	})
}
