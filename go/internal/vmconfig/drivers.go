package vmconfig

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"microvm-console/internal/kmodules"
	"microvm-console/internal/strictjson"
)

// driverModules are the modules of the kernel that each driver of a share needs, besides their
// dependencies.
var driverModules = map[string][]string{
	P9:       {"9pnet_virtio", "9p"},
	Virtiofs: {"virtiofs"},
}

// DriverModules returns the modules of the kernel that a driver of a share needs, besides their
// dependencies.
func DriverModules(driver string) []string { return driverModules[driver] }

// ChooseDrivers returns m with a driver for each share that has none: the first of Drivers that the
// kernel has. The choice depends only on m and on the tables of the kernel's modules, so that the
// guest image, which is built before the start, has the driver that the start chooses. Its error
// is a *strictjson.Mistake if the tables are not found, or the kernel has no driver.
func (m Machine) ChooseDrivers() (Machine, error) {
	first := slices.IndexFunc(m.Shares, func(s Share) bool { return s.Driver == "" })
	if first < 0 {
		return m, nil
	}
	field := fmt.Sprintf("shares[%d].driver", first)
	tree, err := m.KernelModules()
	if err != nil {
		return m, strictjson.Mistakef(field, "%w", err)
	}
	i := slices.IndexFunc(Drivers, func(driver string) bool {
		return !slices.ContainsFunc(driverModules[driver], func(module string) bool { return !tree.Has(module) })
	})
	if i < 0 {
		return m, strictjson.Mistakef(field, "the kernel %s has neither 9p nor virtiofs, by its tables in %s (use another kernel, or remove shares)",
			tree.Version, tree.Dir)
	}
	m.Shares = slices.Clone(m.Shares)
	for j := range m.Shares {
		if m.Shares[j].Driver == "" {
			m.Shares[j].Driver = Drivers[i]
		}
	}
	return m, nil
}

// KernelModules returns the tables of the kernel's modules: those in ModulesDir, or else those of
// its version in the first of modulePlaces that has them.
func (m Machine) KernelModules() (*kmodules.Tree, error) {
	version, err := kernelVersion(m.Kernel)
	if m.ModulesDir != "" {
		if err == nil && isDir(filepath.Join(m.ModulesDir, version)) {
			return kmodules.OpenVersion(m.ModulesDir, version)
		}
		return kmodules.Open(m.ModulesDir)
	}
	const remedy = "(set driver to 9p or virtiofs, or modulesDir to the lib/modules of the kernel)"
	if err != nil {
		return nil, fmt.Errorf("cannot be chosen: %w %s", err, remedy)
	}
	for _, place := range modulePlaces(m.Kernel) {
		if isDir(filepath.Join(place, version)) {
			return kmodules.OpenVersion(place, version)
		}
	}
	return nil, fmt.Errorf("cannot be chosen: the modules of %s are neither beside %s nor in /lib/modules %s", version, m.Kernel, remedy)
}

// modulePlaces returns the directories that may contain the modules of a kernel: beside the kernel,
// as those of make modules_install INSTALL_MOD_PATH=modules; in its package, unpacked; and in the
// host.
func modulePlaces(kernel string) []string {
	var places []string
	real, err := filepath.EvalSymlinks(kernel)
	if err != nil {
		real = kernel
	}
	for _, dir := range []string{filepath.Dir(kernel), filepath.Dir(real)} {
		for _, place := range []string{"lib/modules", "modules/lib/modules", "../lib/modules", "../usr/lib/modules"} {
			places = append(places, filepath.Join(dir, place))
		}
	}
	return append(places, "/lib/modules", "/usr/lib/modules")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// maxVersion is the maximum length of a kernel's version, in bytes: that of uname(2).
const maxVersion = 64

// kernelVersion returns the version in the header of a bzImage, such as "6.1.0-56-amd64". The
// header has the offset of a text that begins with it (Documentation/arch/x86/boot.rst,
// kernel_version).
func kernelVersion(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	head := make([]byte, 0x210)
	if _, err := io.ReadFull(file, head); err != nil || !isBzImage(head) {
		return "", fmt.Errorf("%s is not a bzImage, which has its version in its header", path)
	}
	text := make([]byte, maxVersion+1)
	n, err := file.ReadAt(text, 0x200+int64(binary.LittleEndian.Uint16(head[0x20e:])))
	if n == 0 {
		return "", fmt.Errorf("%s: version: %w", path, err)
	}
	version, _, ended := bytes.Cut(text[:n], []byte(" "))
	if !ended || !validVersion(string(version)) {
		return "", fmt.Errorf("%s has no version in its header", path)
	}
	return string(version), nil
}

// validVersion reports whether version can be the name of a directory of modules.
func validVersion(version string) bool {
	return version != "" && filepath.IsLocal(version) && !strings.ContainsAny(version, "/\x00") && version != "."
}
