// Package kmodules reads the directory of a kernel's modules: which modules there are, which are
// built into the kernel, in which order they load, and their contents.
package kmodules

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the directory of a kernel's modules, with the tables of depmod(8).
type Tree struct {
	Dir     string              // …/lib/modules/<version>
	Version string              // the kernel's version, which is the directory's name
	needs   map[string][]string // a module's path in dir -> the paths it needs
	paths   map[string]string   // a module's name -> its path in dir
	builtin map[string]bool     // names of modules that are built into the kernel
	soft    map[string][]string // a module's name -> the paths of its soft dependencies
}

// Error is a mistake in a directory of modules, or in the choice of modules, as opposed to an I/O
// error.
type Error struct{ err error }

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the mistake, or several as a *multierror.Error.
func (e *Error) Unwrap() error { return e.err }

func errorf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// Open reads the tables of the kernel in modulesDir, such as /lib/modules, which must have exactly
// one. Its error is an *Error if the tables have a mistake.
func Open(modulesDir string) (*Tree, error) {
	version, err := onlyVersion(modulesDir)
	if err != nil {
		return nil, err
	}
	return OpenVersion(modulesDir, version)
}

// OpenVersion is Open for one of several kernels in modulesDir.
func OpenVersion(modulesDir, version string) (*Tree, error) {
	tree := &Tree{
		Dir:     filepath.Join(modulesDir, version),
		Version: version,
		paths:   map[string]string{},
		builtin: map[string]bool{},
	}
	if err := tree.readNeeds(); err != nil {
		return nil, err
	}
	if err := tree.readBuiltin(); err != nil {
		return nil, err
	}
	return tree, tree.readSoft()
}

// onlyVersion returns the name of the only directory in modulesDir.
func onlyVersion(modulesDir string) (string, error) {
	found, err := os.ReadDir(modulesDir)
	if err != nil {
		return "", fmt.Errorf("modulesDir: %w (set it to a kernel's lib/modules; for a kernel without modules, remove modulesDir and modules)", err)
	}
	var versions []string
	for _, entry := range found {
		// A directory, or a link to one.
		if info, err := os.Stat(filepath.Join(modulesDir, entry.Name())); err == nil && info.IsDir() {
			versions = append(versions, entry.Name())
		}
	}
	if len(versions) != 1 {
		return "", errorf("modulesDir %s: want the modules of one kernel, found %d (%s)",
			modulesDir, len(versions), strings.Join(versions, ", "))
	}
	return versions[0], nil
}

func (t *Tree) readNeeds() error {
	file, err := os.Open(filepath.Join(t.Dir, "modules.dep"))
	if errors.Is(err, fs.ErrNotExist) {
		return errorf("modulesDir: %w (create it with depmod -b)", err)
	}
	if err != nil {
		return fmt.Errorf("modulesDir: %w", err)
	}
	defer file.Close()
	if t.needs, err = parseNeeds(file); err != nil {
		return errorf("%s: %w", file.Name(), err)
	}
	// Sorted, so that the image is reproducible even if two modules have the same name.
	for _, p := range slices.Sorted(maps.Keys(t.needs)) {
		t.paths[Name(p)] = p
	}
	return nil
}

// parseNeeds parses modules.dep(5): lines "path: path path" relative to the directory of the file.
// All paths that it returns are in that directory.
func parseNeeds(r io.Reader) (map[string][]string, error) {
	needs := map[string][]string{}
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		module, list, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("line %d: no colon", number)
		}
		paths := strings.Fields(list)
		for _, p := range append(paths, module) {
			if !filepath.IsLocal(p) || path.Clean(p) != p || !strings.Contains(path.Base(p), ".ko") {
				return nil, fmt.Errorf("line %d: %q is not a module in the kernel's directory", number, p)
			}
		}
		needs[module] = paths
	}
	return needs, lines.Err()
}

// readBuiltin reads modules.builtin, which has one path per line. The file may be absent.
func (t *Tree) readBuiltin() error {
	data, err := os.ReadFile(filepath.Join(t.Dir, "modules.builtin"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("modulesDir: %w", err)
	}
	for _, p := range strings.Fields(string(data)) {
		t.builtin[Name(p)] = true
	}
	return nil
}

// Has reports whether the kernel has a module, built in or as a file.
func (t *Tree) Has(name string) bool {
	name = Name(name)
	return t.paths[name] != "" || t.builtin[name]
}
