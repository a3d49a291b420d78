package initrd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// moduleName returns a module's name as the kernel knows it: without folder and
// endings, hyphens made underscores. A name stays as it is.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// loadOrder returns the paths of the modules with these names and of all that
// they need, dependencies first, otherwise in the order of the names. What is
// built into the kernel is left out, and so is an optional module that the kernel
// does not have. Soft dependencies (modprobe.d(5)) are not considered: a console
// has none. The error names every module that is missing.
func (t *moduleTree) loadOrder(names, optional []string) ([]string, error) {
	walk := walk{tree: t, state: map[string]int{}}
	var errs *multierror.Error
	for i, name := range append(slices.Clone(names), optional...) {
		name = moduleName(name)
		file, ok := t.paths[name]
		switch {
		case ok:
			if err := walk.visit(file); err != nil {
				errs = multierror.Append(errs, err)
			}
		case t.builtin[name] || i >= len(names):
		default:
			errs = multierror.Append(errs, fmt.Errorf("module %q: not in %s", name, t.dir))
		}
	}
	if errs != nil {
		return nil, &ImageError{errs}
	}
	return walk.order, nil
}

// walk is one depth-first walk through the modules.
type walk struct {
	tree  *moduleTree
	state map[string]int // visiting, visited
	order []string
}

const (
	visiting = iota + 1
	visited
)

// visit appends what file needs, then file. modules.dep lists the needs of a
// module so that the one to load first stands last.
func (w *walk) visit(file string) error {
	needs, ok := w.tree.needs[file]
	switch {
	case w.state[file] == visited:
		return nil
	case w.state[file] == visiting:
		return fmt.Errorf("module %q: needs itself", moduleName(file))
	case !ok:
		return fmt.Errorf("module %q: needed, but has no line in modules.dep", moduleName(file))
	}
	w.state[file] = visiting
	for _, need := range slices.Backward(needs) {
		if err := w.visit(need); err != nil {
			return err
		}
	}
	w.state[file] = visited
	w.order = append(w.order, file)
	return nil
}
