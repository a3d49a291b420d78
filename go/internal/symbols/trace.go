package symbols

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Decoder adds source lines to the frames of traces.
type Decoder struct {
	kernel  *Object
	folder  string             // of the modules; "" if there is none
	modules map[string]*Object // that were looked for; nil for one without debug information
}

// NewDecoder returns a decoder for the kernel of a vmlinux, and the modules below a folder
// ("" for none).
func NewDecoder(vmlinux, folder string) (*Decoder, error) {
	kernel, err := Open(vmlinux)
	if err != nil {
		return nil, err
	}
	return &Decoder{kernel: kernel, folder: folder, modules: map[string]*Object{}}, nil
}

// frames matches a frame: the function, the offset, its size, and the module.
var frames = regexp.MustCompile(`([A-Za-z_][\w.$]*)\+0x([0-9a-f]{1,8})/0x([0-9a-f]{1,8})(?: \[([\w-]+)(?:\([A-Z+-]+\))?\])?`)

// Line returns the text with the source lines in parentheses after each frame of a trace.
func (d *Decoder) Line(text string) string {
	return frames.ReplaceAllStringFunc(text, func(found string) string {
		match := frames.FindStringSubmatch(found)
		offset, _ := strconv.ParseUint(match[2], 16, 64) // of eight digits at most
		size, _ := strconv.ParseUint(match[3], 16, 64)
		object := d.kernel
		if match[4] != "" {
			object = d.module(match[4])
		}
		if object == nil {
			return found
		}
		lines := object.Lines(match[1], offset, size)
		if len(lines) == 0 {
			return found
		}
		return fmt.Sprintf("%s (%s)", found, strings.Join(lines, " "))
	})
}

// module returns the module of that name; nil if it is not below the folder, is compressed, or
// has no debug information.
func (d *Decoder) module(name string) *Object {
	object, known := d.modules[name]
	if known || d.folder == "" {
		return object
	}
	d.modules[name] = nil
	_ = filepath.WalkDir(d.folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.ReplaceAll(entry.Name(), "-", "_") == strings.ReplaceAll(name, "-", "_")+".ko" {
			d.modules[name], _ = Open(path)
			return fs.SkipAll
		}
		return nil
	})
	return d.modules[name]
}
