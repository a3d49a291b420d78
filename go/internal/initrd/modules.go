package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"path"

	"microvm-console/internal/kmodules"
)

// addModules adds the modules, uncompressed, and /etc/modules, which lists their paths in load order.
func (t tree) addModules(img Image) error {
	var list bytes.Buffer
	modules, err := modulesOf(img)
	if wrong := (*kmodules.Error)(nil); errors.As(err, &wrong) {
		return &ImageError{err}
	}
	if err != nil {
		return err
	}
	for _, e := range modules {
		if err := t.put(e); err != nil {
			return err
		}
		fmt.Fprintf(&list, "/%s\n", e.Path)
	}
	return t.put(Entry{Path: "etc/modules", Mode: 0o644, Data: list.Bytes()})
}

// modulesOf returns the modules of an image in load order. An image without a modulesDir has none.
func modulesOf(img Image) ([]Entry, error) {
	if img.ModulesDir == "" {
		return nil, nil
	}
	tree, err := kmodules.Open(img.ModulesDir)
	if err != nil {
		return nil, err
	}
	order, err := tree.LoadOrder(img.Modules, img.OptionalModules)
	if err != nil {
		return nil, err
	}
	var modules []Entry
	for _, file := range order {
		data, err := tree.Read(file)
		if err != nil {
			return nil, err
		}
		modules = append(modules, Entry{
			Path: path.Join("lib/modules", tree.Version, kmodules.Plain(file)), Mode: 0o644, Data: data,
		})
	}
	return modules, nil
}
