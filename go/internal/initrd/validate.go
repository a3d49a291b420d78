package initrd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// What a name may look like. A host name is one label of RFC 1123; the others
// end up in files of the guest that are read word by word.
var (
	hostnameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	ttyForm      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	moduleForm   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// Validate tells every mistake that can be seen without reading a file. The
// error is an ImageError around a *multierror.Error.
func (img Image) Validate() error {
	if err := img.mistakes(); err != nil {
		return &ImageError{err}
	}
	return nil
}

// wrongFunc takes a mistake in a field.
type wrongFunc func(field, format string, args ...any)

// mistakes is Validate without the ImageError.
func (img Image) mistakes() error {
	var errs *multierror.Error
	wrong := func(field, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef(field, format, args...))
	}
	if img.Busybox == "" {
		wrong("busybox", "missing (the path of a statically linked busybox)")
	}
	if len(img.Modules) > 0 && img.ModulesDir == "" {
		wrong("modulesDir", "missing, but modules are asked for (a kernel's lib/modules)")
	}
	if !hostnameForm.MatchString(img.Hostname) {
		wrong("hostname", "want letters, digits and inner hyphens, at most 63, got %q", img.Hostname)
	}
	if len(img.Gettys) == 0 {
		wrong("gettys", "missing (the terminals with a login, such as \"ttyS0\")")
	}
	names(img.Gettys, "gettys", ttyForm, wrong)
	names(img.Modules, "modules", moduleForm, wrong)
	names(img.OptionalModules, "optionalModules", moduleForm, wrong)
	files(img.Files, wrong)
	return errs.ErrorOrNil()
}

// names checks a list of names: their form, and that none comes twice.
func names(list []string, field string, form *regexp.Regexp, wrong wrongFunc) {
	seen := map[string]bool{}
	for i, name := range list {
		switch {
		case !form.MatchString(name):
			wrong(fmt.Sprintf("%s[%d]", field, i), "%q is no name", name)
		case seen[name]:
			wrong(fmt.Sprintf("%s[%d]", field, i), "%q comes twice", name)
		}
		seen[name] = true
	}
}

// files checks the additional files.
func files(list []File, wrong wrongFunc) {
	seen := map[string]bool{}
	for i, file := range list {
		field := fmt.Sprintf("files[%d]", i)
		name, rooted := strings.CutPrefix(file.Path, "/")
		if !rooted || !archivable(name) {
			wrong(field+".path", "want an absolute path without \"..\" or a trailing slash, got %q", file.Path)
		}
		if seen[file.Path] {
			wrong(field+".path", "%q comes twice", file.Path)
		}
		seen[file.Path] = true
		if file.Text != "" && file.Source != "" {
			wrong(field, "text and source exclude each other")
		}
		if _, err := file.mode(); err != nil {
			wrong(field+".mode", "want octal permission bits such as \"0755\", got %q", file.Mode)
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
