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

// Entry is one file, folder or symbolic link of an image.
type Entry struct {
	Path string      // in the guest, without the leading slash
	Mode fs.FileMode // type and permission bits
	Data []byte      // a file's content, a link's target
}

// tree is an image in the making, by path. Whatever is in it has its parent
// folders in it, too.
type tree map[string]Entry

// put adds an entry and the folders above it. It replaces what has the same
// path, but never a folder by something else or the other way round.
func (t tree) put(e Entry) error {
	if !archivable(e.Path) {
		return imageErrorf("file %q: no archive can hold this path", "/"+e.Path)
	}
	for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
		above, ok := t[dir]
		if !ok {
			t[dir] = Entry{Path: dir, Mode: fs.ModeDir | 0o755}
		} else if !above.Mode.IsDir() {
			return imageErrorf("file /%s: /%s is not a folder", e.Path, dir)
		}
	}
	if old, ok := t[e.Path]; ok && old.Mode.IsDir() != e.Mode.IsDir() {
		return imageErrorf("file /%s: a folder has this name", e.Path)
	}
	t[e.Path] = e
	return nil
}

// archivable tells whether a newc archive can hold an entry of this name. A
// reader takes names as C strings, up to PATH_MAX bytes, and stops at the name
// of the trailer.
func archivable(name string) bool {
	return fs.ValidPath(name) && name != "." && len(name) < 4096 &&
		name != "TRAILER!!!" && !strings.Contains(name, "\x00")
}

// sorted returns the entries in the order of their paths, in which a folder
// comes before what it holds.
func (t tree) sorted() []Entry {
	entries := make([]Entry, 0, len(t))
	for _, p := range slices.Sorted(maps.Keys(t)) {
		entries = append(entries, t[p])
	}
	return entries
}

// addFiles adds the files that the image asks for.
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
