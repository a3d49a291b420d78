package symbols

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
)

// The addresses of the first section of a module, and of which the others are multiples.
const (
	firstAddress  = 1 << 16
	sectionAlign  = 1 << 12
	symbol64Bytes = 24
	valueInSymbol = 8 // the offset of the value in a symbol of 64 bits
)

// layOut gives the sections of a module addresses that differ, by changing the symbols in data: in
// the file, each section begins at 0, so that an address says too little. The debug information
// gets the same addresses when debug/elf relocates it. It returns a function that reports whether
// the debug information has the addresses of a section.
//
// Without relocations of the debug information, as in files that eu-strip has made, it changes
// nothing, and only .text is known.
func layOut(data []byte) (known func(elf.Section) bool, err error) {
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	known = func(section elf.Section) bool { return section.Name == ".text" }
	table := file.SectionByType(elf.SHT_SYMTAB)
	if table == nil || file.Class != elf.ELFCLASS64 || !relocated(file, ".debug_info") {
		return known, nil
	}
	addresses, next := map[int]uint64{}, uint64(firstAddress)
	for i, section := range file.Sections {
		if section.Flags&elf.SHF_EXECINSTR != 0 {
			addresses[i] = next
			next += (section.Size + sectionAlign) &^ (sectionAlign - 1)
		}
	}
	end := min(table.Offset+table.FileSize, uint64(len(data)))
	for at := table.Offset; at+symbol64Bytes <= end; at += symbol64Bytes {
		section := file.ByteOrder.Uint16(data[at+6:])
		value := data[at+valueInSymbol:]
		if address, found := addresses[int(section)]; found {
			file.ByteOrder.PutUint64(value, file.ByteOrder.Uint64(value)+address)
		}
	}
	return func(section elf.Section) bool { return section.Flags&elf.SHF_EXECINSTR != 0 }, nil
}

// relocated reports whether the file has relocations of a section.
func relocated(file *elf.File, name string) bool {
	at := slices.IndexFunc(file.Sections, func(section *elf.Section) bool { return section.Name == name })
	return at > 0 && slices.ContainsFunc(file.Sections, func(section *elf.Section) bool {
		return strings.HasPrefix(section.Name, ".rel") && int(section.Info) == at && section.Size > 0
	})
}
