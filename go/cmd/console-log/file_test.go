package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/kevent"
)

func TestReadLog(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"text", "[    0.000000] Linux", ""},
		{"a NUL before the text", "\x00Linux", ""},
		{"NULs for long before the text", strings.Repeat("\x00", 100<<10) + "Linux", ""},
		{"noise before the text", "\xff\xfe\xf8[    0.000000] Linux", ""},
		{"compressed text after the beginning", "Linux\n\x1f\x8b\x08", ""},
		{"no byte", "", "is empty"},
		{"only NULs", strings.Repeat("\x00", 100<<10), "has only NUL bytes"},
		{"gzip", "\x1f\x8b\x08\x00", "(gzip): decompress it first"},
		{"xz", "\xfd7zXZ\x00\x00", "(xz): decompress it first"},
		{"zstd", "\x28\xb5\x2f\xfd\x04", "(zstd): decompress it first"},
		{"bzip2", "BZh91AY&SY", "(bzip2): decompress it first"},
		{"UTF-16, low byte first", "\xff\xfeL\x00i\x00", "(UTF-16: convert it to UTF-8)"},
		{"UTF-16, high byte first", "\xfe\xff\x00L\x00i", "(UTF-16: convert it to UTF-8)"},
		{"dmesg -J", "{\n   \"dmesg\": [\n", "is JSON (use dmesg without -J)"},
		{"journalctl -o json", `{"_TRANSPORT":"kernel","MESSAGE":"Linux"}` + "\n", "is JSON (use journalctl without -o json)"},
		{"journalctl -o json-pretty", "{\n\t\"__CURSOR\" : \"s=1\",\n", "is JSON (use journalctl without -o json)"},
		{"journalctl -o export", "__CURSOR=s=1\nMESSAGE=Linux\n", "(use journalctl without -o export)"},
		{"JSON of a program", "{\"ok\": 1}\n{\"MESSAGE\": 2}\n", ""},
		{"a program", "\x7fELF\x02", "(an ELF file)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(test.data), 0o600); err != nil {
				t.Fatal(err)
			}
			var read strings.Builder
			err := readLog(path, func(data []byte) { read.Write(data) })
			switch {
			case test.want == "":
				if err != nil || read.String() != test.data {
					t.Errorf("%d of %d bytes, %v", read.Len(), len(test.data), err)
				}
			case err == nil || !strings.Contains(err.Error(), path+" ") || !strings.Contains(err.Error(), test.want):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// An object is printed when its event ends, while the log is still written.
func TestObjectsComeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	printed := make(chan struct{})
	list := newEventList(firstWrite(printed), true, 0)
	done := make(chan error)
	go func() {
		scanner := kevent.NewScanner(0)
		done <- readLog(path, func(data []byte) { list.add(scanner.Feed(data)) })
	}()
	log, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.WriteString("[   12.0] kernel BUG at a.c:1!\n[   12.1]  f+0x1/0x2\n[   12.2] ---[ end trace 0 ]---\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-printed:
	case <-time.After(30 * time.Second):
		t.Fatal("no object before the end of the log")
	}
	log.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// firstWrite is closed by the first Write.
type firstWrite chan struct{}

func (w firstWrite) Write(data []byte) (int, error) {
	close(w)
	return len(data), nil
}
