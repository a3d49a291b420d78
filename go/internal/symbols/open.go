package symbols

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"microvm-console/internal/kmodules"
)

// ErrNoDebug is returned if a file has no debug information.
var ErrNoDebug = errors.New("no debug information")

// errNoELF is the error for a file that is not an ELF file, such as bzImage.
var errNoELF = errors.New("not an ELF file")

// Open reads a vmlinux. It keeps no file open.
func Open(name string) (*Object, error) {
	file, err := elf.Open(name)
	if bad := (*elf.FormatError)(nil); errors.As(err, &bad) || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w (use vmlinux, not bzImage)", name, errNoELF)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	o, err := newObject(file, func(elf.Section) bool { return true })
	if errors.Is(err, ErrNoDebug) {
		err = fmt.Errorf("%w (build the kernel with CONFIG_DEBUG_INFO_DWARF5=y, and use vmlinux, not bzImage)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o.banner = banner(file, o.symbols["linux_banner"])
	o.base = o.sourceFolder()
	return o, nil
}

// banner returns the line with the version that the kernel prints when it starts; "" if it is
// unknown.
func banner(file *elf.File, symbols []symbol) string {
	for _, symbol := range symbols {
		section := file.Sections[symbol.section]
		if symbol.size > maxBanner || section.Type == elf.SHT_NOBITS {
			continue
		}
		text := make([]byte, symbol.size)
		if _, err := section.ReadAt(text, int64(symbol.address-section.Addr)); err == nil { //nolint:gosec // an offset in the section, or an error
			text, _, _ = bytes.Cut(text, []byte{0})
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

// maxBanner is how many bytes the line with the version has at most.
const maxBanner = 4096

// maxModule is how many bytes a module with debug information has at most. The largest one of a
// distribution's kernel has about 400 MB.
const maxModule = 1 << 30

// openModule reads a module: one of the kernel's build, a compressed one, or a file that has only
// the debug information of one. base is the folder of the kernel's source.
func openModule(name, base string) (*Object, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	suffix := filepath.Ext(name)
	if suffix == ".ko" || suffix == ".debug" {
		suffix = ""
	}
	if data, err = kmodules.Unpack(data, suffix, maxModule); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	known, err := layOut(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o, err := newObject(file, known)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o.base = base
	return o, nil
}
