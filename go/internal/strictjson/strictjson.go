// Package strictjson decodes JSON and reports every mistake in it, where encoding/json
// stops at the first one or ignores it.
package strictjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Decode decodes one JSON object into the struct that into points to. Its error is a
// *multierror.Error with every unknown field, every field that is given twice and every
// value of a wrong type, each with its path:
// "consoles[1].port: want a whole number, got a string". Structs, maps with strings for keys, slices, strings, ints and
// bools are understood, and pointers to them: what our files are made of. A
// pointer stays nil where its field is left out.
func Decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return multierror.Append(nil, syntaxError(data, err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return multierror.Append(nil, errors.New("more follows the JSON object"))
	}
	var errs *multierror.Error
	compare(tree, reflect.TypeOf(into).Elem(), "", &errs)
	repeated(data, func(path string) {
		errs = multierror.Append(errs, fmt.Errorf("%s: stands there twice", path))
	})
	if err := errs.ErrorOrNil(); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// syntaxError adds the line to an error of the JSON parser.
func syntaxError(data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := min(max(0, int(syntax.Offset)-1), len(data)) // Offset counts the wrong byte too
		line := 1 + bytes.Count(data[:before], []byte("\n"))
		return fmt.Errorf("line %d: %w", line, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON text ends too early")
	}
	return err
}

// compare walks value beside the type it will be decoded into.
func compare(value any, want reflect.Type, path string, errs **multierror.Error) {
	wrong := func(name string) {
		*errs = multierror.Append(*errs, fmt.Errorf("%s: want %s, got %s", cmp.Or(path, "the file"), name, kindOf(value)))
	}
	switch want.Kind() {
	case reflect.Pointer:
		compare(value, want.Elem(), path, errs)
	case reflect.Map:
		entries, ok := value.(map[string]any)
		if !ok {
			wrong("an object")
			return
		}
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			compare(entries[key], want.Elem(), under(path, key), errs)
		}
	case reflect.Struct:
		fields, ok := value.(map[string]any)
		if !ok {
			wrong("an object")
			return
		}
		compareFields(fields, want, path, errs)
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			wrong("a list")
			return
		}
		for i, item := range items {
			compare(item, want.Elem(), fmt.Sprintf("%s[%d]", path, i), errs)
		}
	default:
		if name, ok := scalar(value, want); !ok {
			wrong(name)
		}
	}
}

// scalar reports whether value is one of the type want, and what that is called.
func scalar(value any, want reflect.Type) (name string, ok bool) {
	switch want.Kind() {
	case reflect.Int:
		number, ok := value.(json.Number)
		_, err := number.Int64()
		return "a whole number", ok && err == nil
	case reflect.String:
		_, ok := value.(string)
		return "a string", ok
	case reflect.Bool:
		_, ok := value.(bool)
		return "true or false", ok
	}
	panic("strictjson: no rule for " + want.String())
}

// compareFields compares the fields of an object, in the order of their names.
func compareFields(fields map[string]any, want reflect.Type, path string, errs **multierror.Error) {
	known := map[string]reflect.Type{}
	for i := range want.NumField() {
		name, _, _ := strings.Cut(want.Field(i).Tag.Get("json"), ",")
		known[name] = want.Field(i).Type
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at := under(path, name)
		kind, ok := known[name]
		if !ok {
			*errs = multierror.Append(*errs, fmt.Errorf("%s: unknown field%s", cmp.Or(at, `""`), suggestion(name, known)))
			continue
		}
		compare(fields[name], kind, at, errs)
	}
}

// under is the path of the field name of the object at path.
func under(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// suggestion names the known field that differs only in case or ending; of
// several, the one whose length is nearest.
func suggestion(name string, known map[string]reflect.Type) string {
	names := slices.Sorted(maps.Keys(known))
	best, distance := "", math.MaxInt
	for _, candidate := range names {
		a, b := strings.ToLower(candidate), strings.ToLower(name)
		off := max(len(a)-len(b), len(b)-len(a))
		if name != "" && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) && off < distance {
			best, distance = candidate, off
		}
	}
	if best != "" {
		return fmt.Sprintf(" (did you mean %s?)", best)
	}
	return " (known: " + strings.Join(names, ", ") + ")"
}

// kindOf names a JSON value's kind.
func kindOf(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(value)
	case json.Number:
		return "the number " + value.String()
	case string:
		return fmt.Sprintf("the string %q", value)
	case []any:
		return "a list"
	}
	return "an object"
}
