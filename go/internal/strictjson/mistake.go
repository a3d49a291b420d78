package strictjson

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Mistake is one mistake in a file. Its text is that of the field and of the error.
type Mistake struct {
	Field string // the field's path: "consoles[1].port"; "" is the whole file
	Err   error  // what is wrong with the field
}

func (m *Mistake) Error() string { return cmp.Or(m.Field, "the file") + ": " + m.Err.Error() }

// Unwrap returns m.Err.
func (m *Mistake) Unwrap() error { return m.Err }

// Mistakef returns a *Mistake in field, with an error formatted by fmt.Errorf.
func Mistakef(field, format string, args ...any) error {
	return &Mistake{Field: field, Err: fmt.Errorf(format, args...)}
}

// within reports whether m is about the field at path or a field in it.
func (m *Mistake) within(path string) bool {
	rest, ok := strings.CutPrefix(m.Field, path)
	return ok && (path == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// AllMistakes returns the error of Decode and the errors of checks of the decoded value as one
// *multierror.Error; nil if there are none. It omits mistakes in fields that could not be
// decoded, and all errors of checks if the text is not JSON.
func AllMistakes(decoding error, checks ...error) error {
	all := multierror.Append(nil, decoding)
	for _, err := range all.Errors {
		var first *Mistake
		if !errors.As(err, &first) {
			return decoding
		}
	}
	undecoded := all.Errors
	known := func(err error) bool {
		var later, first *Mistake
		for _, one := range undecoded {
			if errors.As(err, &later) && errors.As(one, &first) && later.within(first.Field) {
				return true
			}
		}
		return false
	}
	for _, err := range multierror.Append(nil, checks...).Errors {
		if !known(err) {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}
