package initrd

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// read returns the entries of an archive in order. It fails the test if a header is not
// reproducible.
func read(t *testing.T, archive io.Reader) []Entry {
	t.Helper()
	var entries []Entry
	r := cpio.NewReader(archive)
	for inode := int64(1); ; inode++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Inode != inode || h.Uid != 0 || h.Guid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s: inode %d, owner %d:%d, time %v", h.Name, h.Inode, h.Uid, h.Guid, h.ModTime)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		info := h.FileInfo()
		if info.Mode()&fs.ModeSymlink != 0 {
			data = []byte(h.Linkname)
		}
		entries = append(entries, Entry{Path: h.Name, Mode: info.Mode(), Data: data})
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("a/b", []byte("text"), uint16(0o755), "c")
	f.Add("a", []byte{}, uint16(0), "a/b")
	f.Add("TRAILER!!!", []byte("x"), uint16(0o644), "b")
	f.Fuzz(func(t *testing.T, path string, data []byte, mode uint16, link string) {
		// Entries that put rejects are in neither the image nor the archive.
		image := tree{}
		_ = image.put(Entry{Path: path, Mode: fs.FileMode(mode & 0o777), Data: data})
		if target := strings.ReplaceAll(path, "\x00", "") + "."; len(target) < 4096 {
			_ = image.put(Entry{Path: link, Mode: fs.ModeSymlink | 0o777, Data: []byte(target)})
		}
		var archive bytes.Buffer
		if err := Write(&archive, image.sorted()); err != nil {
			t.Fatal(err)
		}
		got := read(t, &archive)
		if diff := cmp.Diff(image.sorted(), got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// fullDisk is a writer with room for a number of bytes. A write that does not fit fails.
type fullDisk int

var errFull = errors.New("no space left")

func (room *fullDisk) Write(p []byte) (int, error) {
	if int(*room) < len(p) {
		return 0, errFull
	}
	*room -= fullDisk(len(p))
	return len(p), nil
}

// Write returns the error of a full disk at any offset, even if a later, smaller write would succeed.
func TestWriteToAFullDisk(t *testing.T) {
	small := []Entry{{Path: "a", Mode: 0o644, Data: []byte("text")}}
	large := append(small, Entry{Path: "b", Mode: 0o644, Data: make([]byte, 3<<20)}, Entry{Path: "c", Mode: 0o644})
	for _, entries := range [][]Entry{small, large} {
		var whole bytes.Buffer
		if err := Write(&whole, entries); err != nil {
			t.Fatal(err)
		}
		for room := range whole.Len() {
			if room > 300 && room%(100<<10) != 0 {
				continue
			}
			left := fullDisk(room)
			if err := Write(&left, entries); !errors.Is(err, errFull) {
				t.Errorf("room for %d of %d bytes: %v", room, whole.Len(), err)
			}
		}
	}
}
