// Package initrdtest makes fake inputs of an image, so that tests need neither a busybox nor a
// kernel. Their formats are valid, and their contents are texts that a test can look for.
package initrdtest

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Version is the version of the kernel of Modules.
const Version = "6.1.0-test"

// Program returns an ELF file for x86-64 that contains text. With interpreter it has an interpreter,
// like a dynamically linked program.
func Program(text string, interpreter bool) []byte {
	header := elf.Header64{
		Ident:     [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_EXEC),
		Machine:   uint16(elf.EM_X86_64),
		Version:   uint32(elf.EV_CURRENT),
		Ehsize:    64,
		Phoff:     64,
		Phentsize: 56,
		Phnum:     1,
		Shentsize: 64,
	}
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 64 + 56, Filesz: uint64(len(text))}
	if interpreter {
		segment.Type = uint32(elf.PT_INTERP)
	}
	var b bytes.Buffer
	// A write to a bytes.Buffer does not fail.
	_ = binary.Write(&b, binary.LittleEndian, header)
	_ = binary.Write(&b, binary.LittleEndian, segment)
	b.WriteString(text)
	return b.Bytes()
}

// Busybox returns a static busybox with applets.
func Busybox(applets ...string) []byte {
	return Program("\x00"+strings.Join(applets, "\x00")+"\x00", false)
}

// Modules writes modules.dep with lines, and a module for each of them, to dir/<Version>. It returns
// dir.
func Modules(t testing.TB, dir string, lines ...string) string {
	t.Helper()
	root := filepath.Join(dir, Version)
	for _, line := range lines {
		file, _, _ := strings.Cut(line, ":")
		Write(t, filepath.Join(root, file), Program(file, false))
	}
	Write(t, filepath.Join(root, "modules.dep"), []byte(strings.Join(lines, "\n")+"\n"))
	return dir
}

// Write writes a file and creates its parent directories.
func Write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// Virtio are the lines of modules.dep for a console, as in a distribution's kernel.
var Virtio = []string{
	"kernel/virtio.ko: kernel/virtio_ring.ko",
	"kernel/virtio_ring.ko:",
	"kernel/virtio_pci_modern_dev.ko:",
	"kernel/virtio_mmio.ko: kernel/virtio.ko kernel/virtio_ring.ko",
	"kernel/virtio_pci.ko: kernel/virtio_pci_modern_dev.ko kernel/virtio.ko kernel/virtio_ring.ko",
	"kernel/char/virtio_console.ko: kernel/virtio.ko kernel/virtio_ring.ko",
	"kernel/char/virtio-rng.ko: kernel/virtio.ko kernel/virtio_ring.ko",
	"kernel/button.ko:",
}

// Mistakes returns the mistakes in err, with DIR in place of dir.
func Mistakes(err error, dir string) []string {
	var many *multierror.Error
	if !errors.As(err, &many) {
		if err == nil {
			return nil
		}
		many = multierror.Append(nil, err)
	}
	var texts []string
	for _, one := range many.Errors {
		texts = append(texts, strings.ReplaceAll(one.Error(), dir, "DIR"))
	}
	return texts
}

// Suffixes are the suffixes of a module's file after ".ko".
var Suffixes = []string{"", ".gz", ".xz", ".zst"}

// Pack compresses data according to suffix.
func Pack(t testing.TB, data []byte, suffix string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch suffix {
	case "":
		return data
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
