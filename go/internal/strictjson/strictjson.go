// Package strictjson decodes JSON and reports every mistake in it. Package encoding/json stops
// at the first mistake or ignores it.
package strictjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/suggest"
)

// Decode decodes one JSON object into the struct that into points to. Its error is a
// *multierror.Error with a *Mistake for every unknown field, every field that is listed twice
// and every value of a wrong type: "consoles[1].port: want a whole number, got a string".
// The fields without a mistake are decoded even if there is an error; see AllMistakes. If
// data is not JSON, nothing is decoded, and the error holds no Mistake.
//
// Decode supports structs, maps with string keys, slices, strings, ints, bools, and pointers
// to them. A pointer whose field is absent stays nil. Decode panics if it meets another type.
func Decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return multierror.Append(nil, syntaxError(data, err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return multierror.Append(nil, errors.New("text follows the JSON object"))
	}
	var errs *multierror.Error
	wrong := func(path, format string, args ...any) {
		errs = multierror.Append(errs, Mistakef(path, format, args...))
	}
	valid := compare(tree, reflect.TypeOf(into).Elem(), "", wrong)
	repeated(data, func(path string) { wrong(path, "is listed twice") })
	errs = multierror.Append(errs, fill(into, valid)) // fails only for a type with its own UnmarshalJSON
	return errs.ErrorOrNil()
}

// fill decodes a tree into the struct that into points to.
func fill(into, tree any) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
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
		return errors.New("unexpected end of the JSON text")
	}
	return err
}

// wrongFunc reports a mistake in the field at path.
type wrongFunc func(path, format string, args ...any)

// compare compares value with the type that it will be decoded into, and reports the mistakes.
// It returns value with null, which decodes to no change, in place of wrong values.
func compare(value any, want reflect.Type, path string, wrong wrongFunc) any {
	mismatch := func(name string) any {
		wrong(path, "want %s, got %s", name, kindOf(value))
		return nil
	}
	switch want.Kind() {
	case reflect.Pointer:
		return compare(value, want.Elem(), path, wrong)
	case reflect.Map:
		entries, ok := value.(map[string]any)
		if !ok {
			return mismatch("an object")
		}
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			entries[key] = compare(entries[key], want.Elem(), under(path, key), wrong)
		}
	case reflect.Struct:
		fields, ok := value.(map[string]any)
		if !ok {
			return mismatch("an object")
		}
		compareFields(fields, want, path, wrong)
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			return mismatch("a list")
		}
		for i, item := range items {
			items[i] = compare(item, want.Elem(), fmt.Sprintf("%s[%d]", path, i), wrong)
		}
	default:
		if name, ok := scalar(value, want); !ok {
			return mismatch(name)
		}
	}
	return value
}

// scalar reports whether value has the type want, and returns a name of the type.
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

// compareFields compares the fields of an object in the order of their names, and deletes
// unknown ones.
func compareFields(fields map[string]any, want reflect.Type, path string, wrong wrongFunc) {
	known := map[string]reflect.Type{}
	for i := range want.NumField() {
		if name, _, _ := strings.Cut(want.Field(i).Tag.Get("json"), ","); name != "-" {
			known[name] = want.Field(i).Type
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at := under(path, name)
		kind, ok := known[name]
		if !ok {
			wrong(cmp.Or(at, `""`), "unknown field%s", suggest.HintOrKnown(name, slices.Sorted(maps.Keys(known))))
			delete(fields, name) // encoding/json would decode "Name" as "name"
			continue
		}
		fields[name] = compare(fields[name], kind, at, wrong)
	}
}

// under returns the path of a field of the object at path.
func under(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// kindOf describes a JSON value.
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
