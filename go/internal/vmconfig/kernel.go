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

// checkKernel wants a file that QEMU can start (hw/i386/x86-common.c,
// x86_load_linux): a bzImage, or one for Multiboot or PVH. QEMU starts many a file
// that is none, which then says nothing; under KVM, that would look like KVM's fault.
func checkKernel(path string) error {
	if err := readable(path); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, multibootSearch)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if !isBzImage(head[:n]) && !isMultiboot(head[:n]) && !isPVH(file) {
		return fmt.Errorf("%s is no kernel", path)
	}
	return nil
}

// isBzImage tells whether a file that begins with head has the header of Linux's
// boot protocol (Documentation/arch/x86/boot.rst): its magic is at 0x202.
func isBzImage(head []byte) bool {
	return len(head) >= 0x206 && bytes.Equal(head[0x202:0x206], []byte("HdrS"))
}

// multibootSearch is how far into a file a Multiboot header may be.
const multibootSearch = 8 << 10

// isMultiboot tells whether there is a Multiboot header in head: magic, flags and a
// checksum, which together are 0.
func isMultiboot(head []byte) bool {
	for at := 0; at+12 <= len(head); at += 4 {
		word := func(i int) uint32 { return binary.LittleEndian.Uint32(head[at+4*i:]) }
		if word(0) == 0x1BADB002 && word(0)+word(1)+word(2) == 0 {
			return true
		}
	}
	return false
}

// maxNotes is how many bytes of notes are looked at.
const maxNotes = 64 << 10

// isPVH reports whether the file is an ELF file with the note of a PVH kernel, as a
// vmlinux has (XEN_ELFNOTE_PHYS32_ENTRY): of name "Xen" and type 18.
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
