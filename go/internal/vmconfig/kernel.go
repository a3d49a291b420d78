package vmconfig

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// checkKernel returns an error unless path is a kernel that QEMU can start: a bzImage, or one
// for Multiboot or PVH, in this order (x86_load_linux in QEMU's hw/i386/x86-common.c). It reports
// whether QEMU starts it by Multiboot. QEMU starts many other files too, which then print nothing;
// under KVM, that would look like a fault of KVM.
func checkKernel(path string) (multiboot bool, err error) {
	if err := readable(path); err != nil {
		return false, err
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, multibootSearch)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	head = head[:n]
	switch {
	case isBzImage(head):
		return false, nil
	case isMultiboot(head) && has(head, 0, elf.ELFMAG+string(rune(elf.ELFCLASS64))):
		return false, fmt.Errorf("%s: %w", path, errELF64)
	case isMultiboot(head):
		return true, nil
	case isPVH(file):
		return false, nil
	}
	return false, fmt.Errorf("%s is not a kernel", path)
}

// errELF64 is returned for a Multiboot kernel that QEMU does not load.
var errELF64 = errors.New("QEMU does not load a Multiboot kernel that is a 64-bit ELF file (convert it with objcopy -O elf32-i386)")

// isBzImage reports whether a file that begins with head has the header of the Linux boot
// protocol, whose magic number is at 0x202 (Documentation/arch/x86/boot.rst).
func isBzImage(head []byte) bool {
	return len(head) >= 0x206 && bytes.Equal(head[0x202:0x206], []byte("HdrS"))
}

// multibootSearch is how many bytes of a file may hold the Multiboot header.
const multibootSearch = 8 << 10

// isMultiboot reports whether head has a Multiboot header: magic number, flags and checksum,
// whose sum is 0.
func isMultiboot(head []byte) bool {
	for at := 0; at+12 <= len(head); at += 4 {
		word := func(i int) uint32 { return binary.LittleEndian.Uint32(head[at+4*i:]) }
		if word(0) == 0x1BADB002 && word(0)+word(1)+word(2) == 0 {
			return true
		}
	}
	return false
}

// maxNotes is how many bytes of ELF notes are searched.
const maxNotes = 64 << 10

// isPVH reports whether the file is an ELF file with the note of a PVH kernel, such as a
// vmlinux: name "Xen" and type 18 (XEN_ELFNOTE_PHYS32_ENTRY).
func isPVH(file io.ReaderAt) bool {
	image, err := elf.NewFile(file)
	if err != nil {
		return false
	}
	want := append(binary.LittleEndian.AppendUint32(nil, 18), "Xen\x00"...)
	for _, segment := range image.Progs {
		if segment.Type != elf.PT_NOTE {
			continue
		}
		notes, err := io.ReadAll(io.LimitReader(segment.Open(), maxNotes))
		if err == nil && bytes.Contains(notes, want) {
			return true
		}
	}
	return false
}
