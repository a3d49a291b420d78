// Package symbols finds the source lines of the frames in a kernel's trace, as
// scripts/decode_stacktrace.sh in the kernel's source does, in the debug information of vmlinux
// and of modules.
//
// A frame such as "func+0x1f/0x80" has a symbol and an offset in it: the address at which the
// kernel was loaded does not matter.
package symbols

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ErrNoDebug is returned if a file has no debug information.
var ErrNoDebug = errors.New("no debug information (build the kernel with CONFIG_DEBUG_INFO_DWARF5=y, and use vmlinux, not bzImage)")

// Object is a vmlinux or a module.
type Object struct {
	data    *dwarf.Data
	base    string // the folder of the kernel's source, with a slash at its end
	symbols map[string][]elf.Symbol
	lines   map[frame][]string // that were found
}

// frame is a place in a function. size is that of the function; the kernel prints it, and functions
// of the same name differ by it.
type frame struct {
	symbol       string
	offset, size uint64
}

// Open reads the file. It keeps no file open.
func Open(name string) (*Object, error) {
	file, err := elf.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if file.Section(".debug_info") == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNoDebug)
	}
	o := &Object{symbols: map[string][]elf.Symbol{}, lines: map[frame][]string{}}
	if o.data, err = file.DWARF(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	symbols, err := file.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	symbols = slices.DeleteFunc(symbols, func(symbol elf.Symbol) bool { return !o.has(file, symbol) })
	slices.SortStableFunc(symbols, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
	for i, symbol := range symbols {
		next := i + 1
		for next < len(symbols) && symbols[next].Value == symbol.Value {
			next++
		}
		if next < len(symbols) {
			symbol.Size = symbols[next].Value - symbol.Value // as the kernel prints it
		}
		o.symbols[symbol.Name] = append(o.symbols[symbol.Name], symbol)
	}
	o.base = o.sourceFolder()
	return o, nil
}

// has reports whether the address of the symbol is one of the debug information. In a module,
// each section begins at 0, so only .text is unique.
func (o *Object) has(file *elf.File, symbol elf.Symbol) bool {
	at := int(symbol.Section)
	if at <= 0 || at >= len(file.Sections) {
		return false
	}
	return file.Type != elf.ET_REL || file.Sections[at].Name == ".text"
}

// sourceFolder returns the folder of the kernel's source; "" if it is unknown.
func (o *Object) sourceFolder() string {
	for _, symbol := range o.symbols["kernel_init"] {
		for _, line := range o.at(symbol.Value) {
			if base, _, found := strings.Cut(line, "init/main.c:"); found {
				return base
			}
		}
	}
	return ""
}

// Lines returns the source lines of a place in a function, as "fs/foo.c:123": that of the
// innermost inlined function first. It returns nil if they are unknown. size is that of the
// function, up to the next symbol; functions of the same name differ by it.
func (o *Object) Lines(symbol string, offset, size uint64) []string {
	key := frame{symbol, offset, size}
	if lines, known := o.lines[key]; known {
		return lines
	}
	var lines []string
	if candidates := o.symbols[symbol]; len(candidates) > 0 {
		at := slices.IndexFunc(candidates, func(candidate elf.Symbol) bool { return candidate.Size == size })
		lines = o.at(candidates[max(at, 0)].Value + offset)
	}
	o.lines[key] = lines
	return lines
}

// at returns the source lines of an address.
func (o *Object) at(pc uint64) []string {
	reader := o.data.Reader()
	unit, err := reader.SeekPC(pc)
	if err != nil {
		return nil
	}
	table, err := o.data.LineReader(unit)
	if err != nil || table == nil {
		return nil
	}
	entry, found := seek(table, pc)
	if !found || entry.File == nil {
		return nil
	}
	lines := []string{o.line(entry.File.Name, int64(entry.Line))}
	calls := inlined(o.data, reader, pc)
	files := table.Files()
	for i := len(calls) - 1; i >= 0; i-- {
		if call := calls[i]; call.file >= 0 && call.file < int64(len(files)) && files[call.file] != nil {
			lines = append(lines, o.line(files[call.file].Name, call.line))
		}
	}
	return lines
}

// seek returns the entry of the table for an address. LineReader.SeekPC needs sequences that
// are sorted by address; those of the kernel's sections are not.
func seek(table *dwarf.LineReader, pc uint64) (dwarf.LineEntry, bool) {
	var before, entry dwarf.LineEntry
	before.EndSequence = true
	for table.Next(&entry) == nil {
		if !before.EndSequence && before.Address <= pc && pc < entry.Address {
			return before, true
		}
		before = entry
	}
	return before, false
}

// line returns a source line without the folder of the kernel's source.
func (o *Object) line(file string, number int64) string {
	return path.Clean(strings.TrimPrefix(file, o.base)) + ":" + strconv.FormatInt(number, 10)
}

// call is the place of a call of an inlined function.
type call struct{ file, line int64 }

// inlined returns the calls of the inlined functions that have the address, the outermost
// first. reader has read the entry of the unit.
func inlined(data *dwarf.Data, reader *dwarf.Reader, pc uint64) []call {
	var calls []call
	for {
		entry, err := reader.Next()
		if err != nil || entry == nil || entry.Tag == dwarf.TagCompileUnit {
			return calls
		}
		switch entry.Tag {
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine, dwarf.TagLexDwarfBlock:
		default:
			if entry.Children {
				reader.SkipChildren()
			}
			continue
		}
		if !covers(data, entry, pc) {
			reader.SkipChildren()
			continue
		}
		if entry.Tag == dwarf.TagInlinedSubroutine {
			file, _ := entry.Val(dwarf.AttrCallFile).(int64)
			line, _ := entry.Val(dwarf.AttrCallLine).(int64)
			calls = append(calls, call{file, line})
		}
	}
}

// covers reports whether the entry has the address. A block without addresses may have it.
func covers(data *dwarf.Data, entry *dwarf.Entry, pc uint64) bool {
	ranges, err := data.Ranges(entry)
	if err != nil {
		return false
	}
	for _, r := range ranges {
		if pc >= r[0] && pc < r[1] {
			return true
		}
	}
	return false
}
