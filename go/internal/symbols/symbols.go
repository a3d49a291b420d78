// Package symbols finds the source lines of the frames in a kernel's trace, as
// scripts/decode_stacktrace.sh in the kernel's source does, in the debug information of vmlinux
// and of modules.
//
// A frame such as "func+0x1f/0x80" has a symbol and an offset in it: the address at which the
// kernel was loaded does not matter. A bare address needs the offset that the kernel prints when
// it panics ("Kernel Offset: ").
package symbols

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// Object is a vmlinux or a module.
type Object struct {
	data    *dwarf.Data
	base    string // the folder of the kernel's source, with a slash at its end
	banner  string // the kernel's line "Linux version …"; "" if unknown
	symbols map[string][]symbol
	code    []symbol // the functions, by address
	places  map[Frame]Place
}

// symbol is a symbol of an object, with the size that the kernel prints: up to the next symbol.
type symbol struct {
	name          string
	address, size uint64
	section       elf.SectionIndex
	last          bool // in its section: the kernel's size of it is unknown
}

// newObject reads the symbols and the debug information of a file. The function reports whether
// the debug information has the addresses of a section.
func newObject(file *elf.File, known func(elf.Section) bool) (*Object, error) {
	if section := file.Section(".debug_info"); section == nil || section.Type == elf.SHT_NOBITS {
		return nil, ErrNoDebug
	}
	o := &Object{symbols: map[string][]symbol{}, places: map[Frame]Place{}}
	var err error
	if o.data, err = file.DWARF(); err != nil {
		return nil, err
	}
	table, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	for _, symbol := range sized(table) {
		if int(symbol.section) >= len(file.Sections) || !known(*file.Sections[symbol.section]) {
			continue
		}
		o.symbols[symbol.name] = append(o.symbols[symbol.name], symbol)
		if file.Sections[symbol.section].Flags&elf.SHF_EXECINSTR != 0 {
			o.code = append(o.code, symbol)
		}
	}
	return o, nil
}

// sized returns the symbols that the kernel knows, by address.
func sized(table []elf.Symbol) []symbol {
	table = slices.DeleteFunc(table, func(s elf.Symbol) bool {
		return s.Section == elf.SHN_UNDEF || s.Section >= elf.SHN_LORESERVE || s.Name == "" || strings.ContainsAny(s.Name[:1], ".$")
	})
	slices.SortStableFunc(table, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
	symbols := make([]symbol, len(table))
	for i := len(table) - 1; i >= 0; i-- {
		s := table[i]
		symbols[i] = symbol{s.Name, s.Value, s.Size, s.Section, true}
		switch {
		case i+1 == len(table):
		case table[i+1].Value == s.Value:
			symbols[i].size, symbols[i].last = symbols[i+1].size, symbols[i+1].last
		default:
			symbols[i].size, symbols[i].last = table[i+1].Value-s.Value, table[i+1].Section != s.Section
		}
	}
	return symbols
}

// Frame is a place in a function, as the kernel prints it: func+0x10/0x20.
type Frame struct {
	Symbol       string
	Offset, Size uint64 // Size is that of the function; functions of the same name differ by it
	// Return means that the address is that at which a called function returns. The line of the
	// call is that of the byte before.
	Return bool
}

// Place is what an object knows about a frame.
type Place struct {
	// Lines are source lines, such as "fs/foo.c:123": that of the innermost inlined function
	// first. They are nil if they are unknown.
	Lines []string
	// Others is how many other functions have the same name and size, but other lines.
	Others int
	// Mismatch means that the object has functions of this name, but none of this size: the frame
	// is of another build. Size is then the size of one of them.
	Mismatch bool
	Size     uint64
}

// String returns the lines, separated by blanks.
func (p Place) String() string {
	text := strings.Join(p.Lines, " ")
	if p.Others > 0 {
		text += fmt.Sprintf(", one of %d functions of this name", p.Others+1)
	}
	return text
}

// Find returns the place of a frame.
func (o *Object) Find(frame Frame) Place {
	place, known := o.places[frame]
	if !known {
		place = o.find(frame)
		if len(o.places) == maxPlaces {
			clear(o.places)
		}
		o.places[frame] = place
	}
	return place
}

// maxPlaces bounds the memory that a guest can take by what it prints.
const maxPlaces = 10_000

func (o *Object) find(frame Frame) Place {
	var place Place
	candidates := o.symbols[frame.Symbol]
	if len(candidates) == 0 || frame.Offset > frame.Size {
		return place
	}
	matching := matches(candidates, frame.Size)
	if len(matching) == 0 {
		place.Mismatch, place.Size = true, candidates[0].size
		matching = candidates
	}
	offset := frame.Offset
	if frame.Return && offset > 0 {
		offset--
	}
	for i, candidate := range matching {
		lines := o.at(candidate.address + offset)
		if i == 0 {
			place.Lines = lines
		} else if !slices.Equal(lines, place.Lines) {
			place.Others++
		}
	}
	return place
}

// matches returns the symbols of a size. If there are none, it returns those whose size is unknown.
func matches(symbols []symbol, size uint64) []symbol {
	exact := slices.DeleteFunc(slices.Clone(symbols), func(s symbol) bool { return s.size != size })
	if len(exact) > 0 {
		return exact
	}
	return slices.DeleteFunc(slices.Clone(symbols), func(s symbol) bool { return !s.last })
}

// Function returns the frame of an address in a function of the object. isReturn is the field
// Return of the frame.
func (o *Object) Function(address uint64, isReturn bool) (frame Frame, found bool) {
	if isReturn { // a function that ends with a call is the caller of what follows it
		frame, found = o.Function(address-1, false)
		frame.Offset, frame.Return = frame.Offset+1, true
		return frame, found
	}
	next, _ := slices.BinarySearchFunc(o.code, address+1, func(s symbol, a uint64) int { return cmp.Compare(s.address, a) })
	if next == 0 {
		return Frame{}, false
	}
	at := o.code[next-1]
	if address-at.address >= at.size {
		return Frame{}, false
	}
	for next > 1 && o.code[next-2].address == at.address {
		next--
		at = o.code[next-1] // the first one of several names, as in the kernel
	}
	return Frame{Symbol: at.name, Offset: address - at.address, Size: at.size}, true
}

// sourceFolder returns the folder of the kernel's source; "" if it is unknown.
func (o *Object) sourceFolder() string {
	for _, symbol := range o.symbols["kernel_init"] {
		for _, line := range o.at(symbol.address) {
			if base, _, found := strings.Cut(line, "init/main.c:"); found {
				return base
			}
		}
	}
	return ""
}
