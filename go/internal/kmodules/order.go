package kmodules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Name returns the kernel's name of a module: the base name of its file without suffixes, and
// with underscores for hyphens.
func Name(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// LoadOrder returns the paths of the modules with the given names and of all modules that they need,
// in load order: dependencies first, also the soft ones (modprobe.d(5)) that the kernel has as
// files, otherwise in the order of the names. It skips modules that are built into the kernel, and
// optional modules that the kernel lacks. The error names every missing module.
func (t *Tree) LoadOrder(names, optional []string) ([]string, error) {
	walk := walk{tree: t, state: map[string]int{}}
	var errs *multierror.Error
	for i, name := range append(slices.Clone(names), optional...) {
		name = Name(name)
		file, ok := t.paths[name]
		switch {
		case ok:
			if err := walk.visit(file); err != nil {
				errs = multierror.Append(errs, err)
			}
		case t.builtin[name] || i >= len(names):
		default:
			errs = multierror.Append(errs, fmt.Errorf("module %q: not in %s", name, t.Dir))
		}
	}
	if errs != nil {
		return nil, &Error{errs}
	}
	return walk.order, nil
}

// walk is a depth-first walk through the modules.
type walk struct {
	tree  *Tree
	state map[string]int // visiting, visited
	order []string
}

const (
	visiting = iota + 1
	visited
)

// visit appends the modules that file needs, then file. In modules.dep, the module to load first is
// the last of a line.
func (w *walk) visit(file string) error {
	needs, ok := w.tree.needs[file]
	switch {
	case w.state[file] == visited:
		return nil
	case w.state[file] == visiting:
		return fmt.Errorf("module %q: depends on itself", Name(file))
	case !ok:
		return fmt.Errorf("module %q: needed, but not in modules.dep", Name(file))
	}
	w.state[file] = visiting
	for _, need := range slices.Backward(needs) {
		if err := w.visit(need); err != nil {
			return err
		}
	}
	for _, soft := range w.tree.soft[Name(file)] {
		if w.state[soft] == visiting { // a soft dependency may be in a cycle
			continue
		}
		if err := w.visit(soft); err != nil {
			return err
		}
	}
	w.state[file] = visited
	w.order = append(w.order, file)
	return nil
}
