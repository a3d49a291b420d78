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
	file, head, err := openHead(path, multibootSearch)
	if err != nil {
		return false, err
	}
	defer file.Close()
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

// checkArm64Kernel returns an error unless path is a kernel for arm64 that QEMU can start: an
// Image (Documentation/arch/arm64/booting.rst), which may be compressed with gzip or in an EFI
// zboot file (load_aarch64_image in QEMU's hw/arm/boot.c).
func checkArm64Kernel(path string) (multiboot bool, err error) {
	file, head, err := openHead(path, 64)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if has(head, 56, "ARM\x64") || has(head, 0, "\x1f\x8b\x08") || has(head, 0, "MZ") && has(head, 4, "zimg") {
		return false, nil
	}
	return false, fmt.Errorf("%s is not a kernel for arm64", path)
}

// openHead opens a file and reads its first bytes, at most size. The caller closes the file.
func openHead(path string, size int) (file *os.File, head []byte, err error) {
	if err := readable(path); err != nil {
		return nil, nil, err
	}
	if file, err = os.Open(path); err != nil {
		return nil, nil, err
	}
	head = make([]byte, size)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		file.Close()
		return nil, nil, err
	}
	return file, head[:n], nil
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
