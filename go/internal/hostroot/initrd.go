package hostroot

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"microvm-console/internal/guestinit"
	"microvm-console/internal/initrd"
	"microvm-console/internal/kmodules"
	"microvm-console/internal/vmconfig"
)

// moduleDir is the directory of the modules in the initramfs.
const moduleDir = "modules"

// WriteInitrd writes the guest's initramfs to a new file at file. m is the guest's VM with its
// name, and a driver for each share; machineType is QEMU's.
func (g *Guest) WriteInitrd(file string, m vmconfig.Machine, machineType string) error {
	entries, err := g.entries(m, machineType)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := initrd.Write(out, entries); err != nil {
		return err
	}
	return out.Close()
}

// entries returns the content of the initramfs.
func (g *Guest) entries(m vmconfig.Machine, machineType string) ([]initrd.Entry, error) {
	agent, err := initrd.ReadAgent(g.agent)
	if err != nil {
		return nil, err
	}
	spec := g.spec(m)
	modules, err := modules(m, machineType)
	if err != nil {
		return nil, err
	}
	for _, module := range modules {
		spec.Modules = append(spec.Modules, "/"+module.Path)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	entries := []initrd.Entry{
		{Path: strings.TrimPrefix(guestinit.Init, "/"), Mode: 0o755, Data: agent},
		{Path: strings.TrimPrefix(guestinit.SpecFile, "/"), Mode: 0o600, Data: text},
		{Path: moduleDir, Mode: fs.ModeDir | 0o755},
	}
	return append(entries, modules...), nil
}

// spec returns what the first process does, without the modules.
func (g *Guest) spec(m vmconfig.Machine) guestinit.Spec {
	spec := guestinit.Spec{
		Root:     share(m.Shares[0], 0),
		Visible:  []string{g.dir},
		Hostname: m.Name,
		Dir:      g.dir,
	}
	for _, variable := range os.Environ() {
		spec.Env = append(spec.Env, []byte(variable))
	}
	for i, s := range m.Shares[1:] {
		spec.Shares = append(spec.Shares, share(s, i+1))
	}
	if dir := os.Getenv("TMPDIR"); filepath.IsAbs(dir) {
		spec.Visible = append(spec.Visible, dir)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); strings.HasPrefix(dir, "/run/") {
		spec.RuntimeDir = dir
	}
	if g.shell {
		spec.Shell, spec.Terminal = cmp.Or(os.Getenv("SHELL"), "/bin/sh"), m.Consoles[0].Device
	}
	return spec
}

// share returns how the guest mounts the share of an index.
func share(s vmconfig.Share, i int) guestinit.Share {
	options := ""
	if s.Driver == vmconfig.P9 {
		options = p9Options
		if s.Writable() {
			options = p9WritableOptions
		}
	}
	return guestinit.Share{Tag: vmconfig.ShareTag(i), FS: s.Driver, Options: options, Target: s.Source}
}

// The options of a mount by 9p (Documentation/filesystems/9p.rst). msize is the most that one
// request of virtio can carry. All programs of the guest share one connection of the protocol,
// since QEMU opens every file as its own user. The root directory is cached as if nothing else
// changed it, which an overlay expects of its lower directory anyway
// (Documentation/filesystems/overlayfs.rst); of a writable directory only mappings are cached, so
// that guest and host see what the other one writes.
const (
	p9Common          = "trans=virtio,version=9p2000.L,msize=512000,access=any"
	p9Options         = p9Common + ",cache=loose"
	p9WritableOptions = p9Common + ",cache=mmap"
)

// modules returns the kernel modules that the guest needs, in load order. A kernel without tables
// of modules must have the drivers built in.
func modules(m vmconfig.Machine, machineType string) ([]initrd.Entry, error) {
	tree, err := m.KernelModules()
	if err != nil {
		return nil, nil //nolint:nilerr // the guest reports what its kernel lacks
	}
	names := []string{"virtio_pci"}
	if machineType == "microvm" {
		names = []string{"virtio_mmio"}
	}
	names = append(names, "virtio_console", "overlay")
	for _, s := range m.Shares {
		for _, name := range vmconfig.DriverModules(s.Driver) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	order, err := tree.LoadOrder(names, nil)
	if err != nil {
		return nil, err
	}
	return read(tree, order)
}

// read returns the modules at the paths order of a tree.
func read(tree *kmodules.Tree, order []string) ([]initrd.Entry, error) {
	var entries []initrd.Entry
	for _, file := range order {
		data, err := tree.Read(file)
		if err != nil {
			return nil, err
		}
		entries = append(entries, initrd.Entry{Path: path.Join(moduleDir, path.Base(kmodules.Plain(file))), Mode: 0o644, Data: data})
	}
	return entries, nil
}
