package initrd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
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
	var errs *multierror.Error
	wrong := func(format string, args ...any) {
		errs = multierror.Append(errs, fmt.Errorf(format, args...))
	}
	if img.Busybox == "" {
		wrong("busybox: missing (the path of a statically linked busybox)")
	}
	if len(img.Modules) > 0 && img.ModulesDir == "" {
		wrong("modulesDir: missing, but modules are asked for (a kernel's lib/modules)")
	}
	if !hostnameForm.MatchString(img.Hostname) {
		wrong("hostname: want letters, digits and inner hyphens, at most 63, got %q", img.Hostname)
	}
	if len(img.Gettys) == 0 {
		wrong("gettys: missing (the terminals with a login, such as \"ttyS0\")")
	}
	names(img.Gettys, "gettys", ttyForm, wrong)
	names(img.Modules, "modules", moduleForm, wrong)
	names(img.OptionalModules, "optionalModules", moduleForm, wrong)
	files(img.Files, wrong)
	if errs == nil {
		return nil
	}
	return &ImageError{errs}
}

// names checks a list of names: their form, and that none comes twice.
func names(list []string, field string, form *regexp.Regexp, wrong func(string, ...any)) {
	seen := map[string]bool{}
	for i, name := range list {
		switch {
		case !form.MatchString(name):
			wrong("%s[%d]: %q is no name", field, i, name)
		case seen[name]:
			wrong("%s[%d]: %q comes twice", field, i, name)
		}
		seen[name] = true
	}
}

// files checks the additional files.
func files(list []File, wrong func(string, ...any)) {
	seen := map[string]bool{}
	for i, file := range list {
		name, rooted := strings.CutPrefix(file.Path, "/")
		if !rooted || !archivable(name) {
			wrong("files[%d].path: want an absolute path without \"..\" or a trailing slash, got %q", i, file.Path)
		}
		if seen[file.Path] {
			wrong("files[%d].path: %q comes twice", i, file.Path)
		}
		seen[file.Path] = true
		if file.Text != "" && file.Source != "" {
			wrong("files[%d]: text and source exclude each other", i)
		}
		if _, err := file.mode(); err != nil {
			wrong("files[%d].mode: want octal permission bits such as \"0755\", got %q", i, file.Mode)
		}
	}
}

// mode returns the permission bits of a File.
func (f File) mode() (uint32, error) {
	if f.Mode == "" {
		return 0o644, nil
	}
	bits, err := strconv.ParseUint(f.Mode, 8, 32)
	if err == nil && bits > 0o777 {
		err = strconv.ErrRange
	}
	return uint32(bits), err
}
