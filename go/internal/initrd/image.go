package initrd

import (
	"errors"
	"fmt"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/vmconfig"
)

// Image says what goes into a guest image. It is what image.json holds; the
// paths that are read while building are absolute or relative to the working
// directory, those inside the guest are absolute.
type Image struct {
	Busybox         string   `json:"busybox"`         // a statically linked busybox
	ModulesDir      string   `json:"modulesDir"`      // holds one folder, named as the kernel's version
	Modules         []string `json:"modules"`         // kernel modules, in load order; their dependencies come by themselves
	OptionalModules []string `json:"optionalModules"` // loaded after Modules; one that this kernel lacks is left out
	Gettys          []string `json:"gettys"`          // terminals with a login, without /dev/; left out: those of a machine's default consoles
	Hostname        string   `json:"hostname"`
	Start           string   `json:"start"` // shell text, run once at boot beside the logins; it prints on /dev/console
	Agent           string   `json:"agent"` // a statically linked microvm-agent; "": none
	Files           []File   `json:"files"` // added last; a file of ours with the same path is replaced
}

// File is one more file in the image: its content is either Text or what
// Source holds when the image is built.
type File struct {
	Path   string `json:"path"`
	Text   string `json:"text"`
	Source string `json:"source"`
	Mode   string `json:"mode"` // permission bits, octal; "" is 0644
}

// ImageError is a mistake in an Image (a module the kernel does not have, a
// busybox that is not static), as opposed to an I/O error while building.
type ImageError struct{ err error }

func (e *ImageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake.
func (e *ImageError) Unwrap() error { return e.err }

func imageErrorf(format string, args ...any) error {
	return &ImageError{fmt.Errorf(format, args...)}
}

// IsImageError tells whether err is the fault of the Image.
func IsImageError(err error) bool {
	var image *ImageError
	return errors.As(err, &image)
}

// Decode reads image.json and validates it. The error is an ImageError and
// holds every mistake (a *multierror.Error).
func Decode(data []byte) (Image, error) {
	var img Image
	decoding := strictjson.Decode(data, &img)
	if img.Gettys == nil {
		for _, console := range vmconfig.DefaultConsoles() {
			img.Gettys = append(img.Gettys, console.Device)
		}
	}
	if err := strictjson.AllMistakes(decoding, img.mistakes()); err != nil {
		return Image{}, &ImageError{err}
	}
	return img, nil
}
