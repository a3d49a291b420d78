package initrd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// Patterns of valid names. A host name is a label as in RFC 1123. The other names are written to
// files of the guest that separate words by white space.
var (
	hostnameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	ttyForm      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	moduleForm   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// Validate returns every mistake that can be found without reading files, as an *ImageError with a
// *multierror.Error.
func (img Image) Validate() error {
	if err := img.mistakes(); err != nil {
		return &ImageError{err}
	}
	return nil
}

// wrongFunc reports a mistake in a field.
type wrongFunc func(field, format string, args ...any)

// mistakes is Validate without the ImageError.
func (img Image) mistakes() error {
	var errs *multierror.Error
	wrong := func(field, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef(field, format, args...))
	}
	if img.Busybox == "" {
		wrong("busybox", "is missing (set it to the path of a statically linked busybox)")
	}
	if len(img.Modules) > 0 && img.ModulesDir == "" {
		wrong("modulesDir", "is missing (set it to a kernel's lib/modules; for a kernel without modules, remove modules)")
	}
	if !hostnameForm.MatchString(img.Hostname) {
		wrong("hostname", "invalid host name %q: want letters, digits and inner hyphens, at most 63", img.Hostname)
	}
	if len(img.Gettys) == 0 {
		wrong("gettys", "is missing (list the terminals with a login, such as \"ttyS0\")")
	}
	names(img.Gettys, "gettys", ttyForm, wrong)
	names(img.Modules, "modules", moduleForm, wrong)
	names(img.OptionalModules, "optionalModules", moduleForm, wrong)
	validateServices(img.Services, wrong)
	validatePackages(img.Packages, wrong)
	files(img.Files, wrong)
	return errs.ErrorOrNil()
}

// names validates a list of names, and that they differ.
func names(list []string, field string, form *regexp.Regexp, wrong wrongFunc) {
	seen := map[string]bool{}
	for i, name := range list {
		switch {
		case !form.MatchString(name):
			wrong(fmt.Sprintf("%s[%d]", field, i), "invalid name %q", name)
		case seen[name]:
			wrong(fmt.Sprintf("%s[%d]", field, i), "%q is listed twice", name)
		}
		seen[name] = true
	}
}

// files validates the additional files.
func files(list []File, wrong wrongFunc) {
	seen := map[string]bool{}
	for i, file := range list {
		field := fmt.Sprintf("files[%d]", i)
		name, rooted := strings.CutPrefix(file.Path, "/")
		if !rooted || !archivable(name) {
			wrong(field+".path", "invalid path %q: want an absolute path without \"..\" or a trailing slash", file.Path)
		}
		if seen[file.Path] {
			wrong(field+".path", "%q is listed twice", file.Path)
		}
		seen[file.Path] = true
		if file.Text != "" && file.Source != "" {
			wrong(field, "has both text and source (remove one of them)")
		}
		if _, err := file.mode(); err != nil {
			wrong(field+".mode", "invalid mode %q: want octal permission bits, e.g. \"0755\"", file.Mode)
		}
	}
}

// mode returns the permission bits of a File.
func (f File) mode() (uint32, error) {
	if f.Mode == "" {
		return 0o644, nil
	}
	bits, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil {
		return 0, err
	}
	if bits > 0o777 {
		return 0, strconv.ErrRange
	}
	return uint32(bits), nil
}
