package kmodules

import (
	"bytes"
	"strings"
	"testing"

	"microvm-console/internal/testsupport/initrdtest"
)

func TestUnpack(t *testing.T) {
	module := initrdtest.Program(strings.Repeat("module ", 1000), false)
	size := int64(len(module))
	for _, suffix := range initrdtest.Suffixes {
		t.Run("ko"+suffix, func(t *testing.T) {
			packed := initrdtest.Pack(t, module, suffix)
			got, err := Unpack(packed, suffix, size)
			if err != nil || !bytes.Equal(got, module) {
				t.Errorf("unpacked %d of %d bytes: %v", len(got), size, err)
			}
			if _, err := Unpack(packed, suffix, size-1); err == nil || !strings.Contains(err.Error(), "more than") {
				t.Errorf("too large: %v", err)
			}
			if _, err := Unpack(initrdtest.Pack(t, []byte("text"), suffix), suffix, size); err == nil {
				t.Error("no error for text")
			}
			if _, err := Unpack(packed[:len(packed)/2], suffix, size); suffix != "" && err == nil {
				t.Error("no error for half a file")
			}
		})
	}
	if _, err := Unpack(module, ".lz4", size); err == nil {
		t.Error("no error for an unknown suffix")
	}
}

func FuzzUnpack(f *testing.F) {
	for _, suffix := range initrdtest.Suffixes {
		f.Add(initrdtest.Pack(f, initrdtest.Program("module", false), suffix), suffix)
	}
	f.Fuzz(func(t *testing.T, packed []byte, suffix string) {
		const limit = 1 << 16
		data, err := Unpack(packed, suffix, limit)
		if err == nil && (len(data) > limit || !bytes.HasPrefix(data, []byte("\x7fELF"))) {
			t.Errorf("unpacked %d bytes: %.8q", len(data), data)
		}
	})
}

func TestPlain(t *testing.T) {
	for file, want := range map[string]string{
		"kernel/fs/9p/9p.ko.xz": "kernel/fs/9p/9p.ko", "a.ko": "a.ko", "kernel/b.ko.zst": "kernel/b.ko",
	} {
		if got := Plain(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
