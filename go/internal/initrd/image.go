package initrd

import (
	"errors"
	"fmt"
	"io/fs"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/vmconfig"
)

// Image is the content of image.json, the description of a guest image. Paths on the host are
// absolute or relative to the working directory, paths in the guest are absolute.
type Image struct {
	VM              string   `json:"vm"`              // the vm.json of the image's VM, whose drivers and logins are added; default: a VM with the default consoles
	Busybox         string   `json:"busybox"`         // a statically linked busybox
	ModulesDir      string   `json:"modulesDir"`      // contains one directory, named after the kernel's version
	Modules         []string `json:"modules"`         // kernel modules in load order; their dependencies are added
	OptionalModules []string `json:"optionalModules"` // loaded after Modules; those that the kernel lacks are skipped
	Gettys          []string `json:"gettys"`          // terminals with a login, without /dev/; default: the consoles of VM that have one
	Hostname        string   `json:"hostname"`        // a label as in RFC 1123
	Start           string   `json:"start"`           // shell script that runs once at boot, in parallel to the logins; it prints to /dev/console
	Agent           string   `json:"agent"`           // a statically linked microvm-agent; default: none
	// Services are programs that run from the boot on. Each one is started again when it ends.
	Services []Service `json:"services"`
	// Packages are directories of the host. Each program in the bin of a package gets a link in
	// /usr/bin, to the same path: the guest has the packages on a disk.
	Packages []string `json:"packages"`
	Files    []File   `json:"files"` // added last; they replace other files with the same path
}

// Service is a program that runs from the boot on.
type Service struct {
	Name string `json:"name"` // letters, digits, hyphens and underscores
	Run  string `json:"run"`  // shell script; it prints to /dev/console
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
	wrongVM := img.readVM()
	if img.Gettys == nil {
		for _, console := range vmconfig.DefaultConsoles(vmconfig.Machine{}.Architecture()) {
			img.Gettys = append(img.Gettys, console.Device)
		}
	}
	if err := strictjson.AllMistakes(decoding, img.mistakes(), wrongVM); err != nil {
		return Image{}, &ImageError{err}
	}
	return img, nil
}

// readVM adds to the image what the VM of its vm.json needs, if it names one.
func (img *Image) readVM() error {
	if img.VM == "" {
		return nil
	}
	machine, err := vmconfig.Load(img.VM)
	if absent := (*fs.PathError)(nil); errors.As(err, &absent) {
		return strictjson.Mistakef("vm", "%w (set it to the path of the VM's vm.json)", err)
	}
	if err != nil {
		return err
	}
	machine, err = machine.ChooseDrivers()
	if err != nil {
		return fmt.Errorf("%s: %w", img.VM, err)
	}
	*img = img.For(machine)
	return nil
}
