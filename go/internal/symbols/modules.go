package symbols

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// modules are those below a folder.
type modules struct {
	folder  string
	release string              // of the kernel, e.g. "6.12.1-amd64"; "" if it is unknown
	files   map[string][]string // by the name of the module; nil if the folder was not read
	objects map[string]*Object  // that were looked for; nil for one without debug information
}

// moduleFile matches the name of a module's file.
var moduleFile = regexp.MustCompile(`^(.+)\.ko(?:\.debug)?(?:\.gz|\.xz|\.zst)?$`)

// read finds the files. Folders that cannot be read are left out.
func (m *modules) read() {
	m.files = map[string][]string{}
	folder := m.folder
	if real, err := filepath.EvalSymlinks(folder); err == nil { // WalkDir follows no link, such as /lib/modules/VERSION/build
		folder = real
	}
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error { //nolint:errcheck // the function returns none
		if match := moduleFile.FindStringSubmatch(filepath.Base(path)); err == nil && match != nil && !entry.IsDir() {
			name := strings.ReplaceAll(match[1], "-", "_")
			m.files[name] = append(m.files[name], path)
		}
		return nil
	})
	for _, files := range m.files {
		slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(m.rank(a), m.rank(b)) })
	}
}

// rank returns a number that is lower for the files that are tried first: those of the kernel's
// release, and among them those with debug information only.
func (m *modules) rank(path string) int {
	rank := 0
	if m.release == "" || !strings.Contains(path, "/"+m.release+"/") {
		rank += 2
	}
	if !strings.Contains(filepath.Base(path), ".ko.debug") {
		rank++
	}
	return rank
}

// maxModules is how many modules are looked for. The log is a guest's.
const maxModules = 500

// find returns the module of that name. The error is for the first look-up only; later ones return
// nil without an error.
func (m *modules) find(name, base string) (*Object, error) {
	name = strings.ReplaceAll(name, "-", "_")
	if object, known := m.objects[name]; known {
		return object, nil
	}
	switch {
	case len(m.objects) > maxModules:
		return nil, nil
	case len(m.objects) == maxModules:
		m.objects[name] = nil
		return nil, fmt.Errorf("the log names more than %d modules: the others have no source lines", maxModules)
	case m.files == nil:
		m.read()
	}
	m.objects[name] = nil
	files := m.files[name]
	if len(files) == 0 {
		return nil, fmt.Errorf("module %s: not found below %s (choose the folder with --modules)", name, m.folder)
	}
	var first error
	for _, file := range files {
		object, err := openModule(file, base)
		if err == nil {
			m.objects[name] = object
			return object, nil
		}
		first = cmp.Or(first, err)
	}
	if errors.Is(first, ErrNoDebug) {
		return nil, fmt.Errorf("module %s: %w (build it with CONFIG_DEBUG_INFO_DWARF5=y, or choose a folder that has its .ko.debug with --modules)", name, first)
	}
	return nil, fmt.Errorf("module %s: %w", name, first)
}
