package symbols

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Options are what a Decoder reads. Vmlinux is needed.
type Options struct {
	Vmlinux string
	Modules string      // the folder of the modules; "" is that of Vmlinux
	Warn    func(error) // is called if the lines are unknown or may be wrong; once per cause
}

// Decoder adds source lines to the frames of traces.
type Decoder struct {
	kernel  *Object
	modules modules
	options Options
	warned  map[string]bool // objects that are of another build than the log
	boots   boots
	exact   string // the frame that was printed last with the address of an instruction
}

// NewDecoder returns a decoder. It reads vmlinux, and a module when it is needed.
func NewDecoder(o Options) (*Decoder, error) {
	kernel, err := Open(o.Vmlinux)
	if err != nil {
		return nil, err
	}
	if o.Modules == "" {
		o.Modules = filepath.Dir(o.Vmlinux)
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	found := modules{folder: o.Modules, objects: map[string]*Object{}}
	if words := strings.Fields(kernel.banner); len(words) > 2 {
		found.release = words[2]
	}
	return &Decoder{kernel: kernel, modules: found, options: o, warned: map[string]bool{}, boots: newBoots()}, nil
}

// frames matches a frame: the function, the offset, its size, and the module with its build ID.
var frames = regexp.MustCompile(`([A-Za-z_][\w.$]*)\+0x([0-9a-f]{1,8})/0x([0-9a-f]{1,8})(?: \[([\w-]+)(?: [0-9a-f]+)?\])?`)

// exact matches the lines whose first address is that of the instruction that was running. Other
// addresses are those to which a function returns.
var exact = regexp.MustCompile(`RIP: |\bWARNING: |\b[Pp][Cc](?: :| is at) |\bE?IP: |\bepc : |\bNIP |BUG: KFENCE: (?:out-of-bounds|use-after-free|invalid (?:read|write)) `)

// Line returns a line with the source lines in parentheses after each frame or address of a trace.
func (d *Decoder) Line(text string) string {
	if banner := d.boots.line(text); banner != "" && d.kernel.banner != "" && !strings.Contains(banner, d.kernel.banner) {
		d.mismatch(d.options.Vmlinux, fmt.Sprintf("its kernel is %q", release(d.kernel.banner)))
	}
	if !strings.Contains(text, "+0x") {
		return d.addresses(text)
	}
	isExact := exact.MatchString(text)
	return frames.ReplaceAllStringFunc(text, func(found string) string {
		match := frames.FindStringSubmatch(found)
		if isExact {
			d.exact, isExact = found, false
		}
		offset, _ := strconv.ParseUint(match[2], 16, 64) // of eight digits at most
		size, _ := strconv.ParseUint(match[3], 16, 64)
		// On arm64 and others, a trace begins with the frame of the line "pc : ".
		place := d.place(match[4], Frame{match[1], offset, size, found != d.exact})
		if place.Lines == nil {
			return found
		}
		return fmt.Sprintf("%s (%s)", found, place)
	})
}

// place returns the place of a frame in a module, or in vmlinux if module is "".
func (d *Decoder) place(module string, frame Frame) Place {
	object, name := d.kernel, d.options.Vmlinux
	if module != "" {
		var err error
		if object, err = d.modules.find(module, d.kernel.base); err != nil {
			d.options.Warn(err)
		}
		name = "module " + module
	}
	if object == nil {
		return Place{}
	}
	place := object.Find(frame)
	if place.Mismatch {
		d.mismatch(name, fmt.Sprintf("%s has %#x bytes there, and %#x in the log", frame.Symbol, place.Size, frame.Size))
	}
	return place
}

// mismatch warns, once per object, that an object is of another build than the log.
func (d *Decoder) mismatch(name, why string) {
	if !d.warned[name] {
		d.warned[name] = true
		d.options.Warn(fmt.Errorf("%s: %w: %s (the lines may be wrong)", name, errOtherBuild, why))
	}
}

// errOtherBuild is in the warnings about an object that is not that of the log.
var errOtherBuild = errors.New("of another build than the log")
