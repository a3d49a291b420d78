package initrd

import (
	"errors"
	"fmt"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/vmconfig"
)

// Image is the content of image.json, the description of a guest image. Paths on the host are
// absolute or relative to the working directory, paths in the guest are absolute.
type Image struct {
	VM              string   `json:"vm"`              // the vm.json of the image's VM; default: the image is for a VM with consoles only
	Busybox         string   `json:"busybox"`         // a statically linked busybox
	ModulesDir      string   `json:"modulesDir"`      // contains one directory, named after the kernel's version
	Modules         []string `json:"modules"`         // kernel modules in load order; their dependencies are added
	OptionalModules []string `json:"optionalModules"` // loaded after Modules; those that the kernel lacks are skipped
	Gettys          []string `json:"gettys"`          // terminals with a login, without /dev/; default: those of vmconfig.DefaultConsoles
	Hostname        string   `json:"hostname"`        // a label as in RFC 1123
	Start           string   `json:"start"`           // shell script that runs once at boot, in parallel to the logins; it prints to /dev/console
	Agent           string   `json:"agent"`           // a statically linked microvm-agent; default: none
	Files           []File   `json:"files"`           // added last; they replace other files with the same path
}

// File is an additional file in the image. Its content is Text, or that of the file Source when the
// image is built.
type File struct {
	Path   string `json:"path"`
	Text   string `json:"text"`
	Source string `json:"source"`
	Mode   string `json:"mode"` // permission bits in octal; default: 0644
}

// ImageError is a mistake in an Image, such as an unknown module or a busybox that is not static, as
// opposed to an I/O error during the build.
type ImageError struct{ err error }

func (e *ImageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake, or several as a *multierror.Error.
func (e *ImageError) Unwrap() error { return e.err }

func imageErrorf(format string, args ...any) error {
	return &ImageError{fmt.Errorf(format, args...)}
}

// IsImageError reports whether err is an ImageError.
func IsImageError(err error) bool {
	var image *ImageError
	return errors.As(err, &image)
}

// Decode decodes an image.json and validates it. It reads the vm.json that the image names. Its
// error is an *ImageError with every mistake.
func Decode(data []byte) (Image, error) {
	var img Image
	decoding := strictjson.Decode(data, &img)
	if img.VM != "" {
		machine, err := vmconfig.Load(img.VM)
		if err != nil {
			return Image{}, &ImageError{err}
		}
		img = img.For(machine)
	}
	if img.Gettys == nil {
		for _, console := range vmconfig.DefaultConsoles(vmconfig.Machine{}.Architecture()) {
			img.Gettys = append(img.Gettys, console.Device)
		}
	}
	if err := strictjson.AllMistakes(decoding, img.mistakes()); err != nil {
		return Image{}, &ImageError{err}
	}
	return img, nil
}
