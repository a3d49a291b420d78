package initrd

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Entry is a file, directory or symbolic link of an image.
type Entry struct {
	Path string      // in the guest, without the leading slash
	Mode fs.FileMode // type and permission bits
	Data []byte      // content of a file, target of a link
}

// tree holds the entries of an image by path. It also has the parent directories of its entries.
type tree map[string]Entry

// put adds an entry and its parent directories. It replaces an entry with the same path, except for
// a directory by another type or another type by a directory.
func (t tree) put(e Entry) error {
	if !archivable(e.Path) {
		return imageErrorf("file %q: a cpio archive cannot contain this path", "/"+e.Path)
	}
	for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
		above, ok := t[dir]
		if !ok {
			t[dir] = Entry{Path: dir, Mode: fs.ModeDir | 0o755}
		} else if !above.Mode.IsDir() {
			return imageErrorf("file /%s: /%s is not a directory", e.Path, dir)
		}
	}
	if old, ok := t[e.Path]; ok && old.Mode.IsDir() != e.Mode.IsDir() {
		return imageErrorf("file /%s: the guest has a directory with this name", e.Path)
	}
	t[e.Path] = e
	return nil
}

// archivable reports whether a newc archive can contain an entry with this name. The kernel reads
// names as C strings of up to PATH_MAX bytes, and stops at the name of the trailer.
func archivable(name string) bool {
	return fs.ValidPath(name) && name != "." && len(name) < 4096 &&
		name != "TRAILER!!!" && !strings.Contains(name, "\x00")
}

// sorted returns the entries in the order of their paths, so that a directory comes before its
// content.
func (t tree) sorted() []Entry {
	entries := make([]Entry, 0, len(t))
	for _, p := range slices.Sorted(maps.Keys(t)) {
		entries = append(entries, t[p])
	}
	return entries
}

// addFiles adds img.Files.
func (t tree) addFiles(img Image) error {
	for _, file := range img.Files {
		mode, err := file.mode()
		if err != nil {
			return err
		}
		data := []byte(file.Text)
		if file.Source != "" {
			if data, err = os.ReadFile(file.Source); err != nil {
				return fmt.Errorf("file %s: %w", file.Path, err)
			}
		}
		e := Entry{Path: strings.TrimPrefix(file.Path, "/"), Mode: fs.FileMode(mode), Data: data}
		if err := t.put(e); err != nil {
			return err
		}
	}
	return nil
}
