package strictjson

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Mistake is one mistake in a file.
type Mistake struct {
	Field string // its path in the file: "consoles[1].port"; "" is the whole file
	Err   error  // what is wrong with it
}

func (m *Mistake) Error() string { return cmp.Or(m.Field, "the file") + ": " + m.Err.Error() }

// Unwrap returns what is wrong with the field.
func (m *Mistake) Unwrap() error { return m.Err }

// Mistakef returns the Mistake in a field, with an error as of fmt.Errorf.
func Mistakef(field, format string, args ...any) error {
	return &Mistake{Field: field, Err: fmt.Errorf(format, args...)}
}

// within reports whether m is about the field at path or about something in it.
func (m *Mistake) within(path string) bool {
	rest, ok := strings.CutPrefix(m.Field, path)
	return ok && (path == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// AllMistakes returns, as one *multierror.Error, the error of Decode and those of
// checks of what was decoded. Of the latter it leaves out a Mistake in a field that could
// not be decoded, and all of them if nothing could.
func AllMistakes(decoding error, checks ...error) error {
	all := multierror.Append(nil, decoding)
	for _, err := range all.Errors {
		var first *Mistake
		if !errors.As(err, &first) {
			return decoding
		}
	}
	refused := all.Errors
	known := func(err error) bool {
		var later, first *Mistake
		for _, one := range refused {
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
