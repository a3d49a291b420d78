package initrd

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

// moduleTree is the directory of a kernel's modules, with the tables of depmod(8).
type moduleTree struct {
	dir     string              // …/lib/modules/<version>
	version string              // the kernel's version, which is the directory's name
	needs   map[string][]string // a module's path in dir -> the paths it needs
	paths   map[string]string   // a module's name -> its path in dir
	builtin map[string]bool     // names of modules that are built into the kernel
}

// openModules reads the tables of the kernel in modulesDir, which must have exactly one.
func openModules(modulesDir string) (*moduleTree, error) {
	version, err := onlyVersion(modulesDir)
	if err != nil {
		return nil, err
	}
	tree := &moduleTree{
		dir:     filepath.Join(modulesDir, version),
		version: version,
		paths:   map[string]string{},
		builtin: map[string]bool{},
	}
	if err := tree.readNeeds(); err != nil {
		return nil, err
	}
	return tree, tree.readBuiltin()
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
		return "", imageErrorf("modulesDir %s: want the modules of one kernel, found %d (%s)",
			modulesDir, len(versions), strings.Join(versions, ", "))
	}
	return versions[0], nil
}

func (t *moduleTree) readNeeds() error {
	file, err := os.Open(filepath.Join(t.dir, "modules.dep"))
	if errors.Is(err, fs.ErrNotExist) {
		return imageErrorf("modulesDir: %w (create it with depmod -b)", err)
	}
	if err != nil {
		return fmt.Errorf("modulesDir: %w", err)
	}
	defer file.Close()
	if t.needs, err = parseNeeds(file); err != nil {
		return imageErrorf("%s: %w", file.Name(), err)
	}
	// Sorted, so that the image is reproducible even if two modules have the same name.
	for _, p := range slices.Sorted(maps.Keys(t.needs)) {
		t.paths[moduleName(p)] = p
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
func (t *moduleTree) readBuiltin() error {
	data, err := os.ReadFile(filepath.Join(t.dir, "modules.builtin"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("modulesDir: %w", err)
	}
	for _, p := range strings.Fields(string(data)) {
		t.builtin[moduleName(p)] = true
	}
	return nil
}
