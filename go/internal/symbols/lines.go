package symbols

import (
	"debug/dwarf"
	"path"
	"strconv"
	"strings"
)

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

// line returns a source line without the folder of the kernel's source. Code that belongs to no
// line has the number "?", as addr2line prints it.
func (o *Object) line(file string, number int64) string {
	text := "?"
	if number > 0 {
		text = strconv.FormatInt(number, 10)
	}
	return path.Clean(strings.TrimPrefix(file, o.base)) + ":" + text
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
		case dwarf.TagNamespace: // of Rust
			continue
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
