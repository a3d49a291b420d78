package strictjson_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// shelf has what vm.json does not use: a map, and pointers.
type shelf struct {
	Label string          `json:"label"`
	Boxes map[string]*box `json:"boxes"`
}

type box struct {
	Open  *bool `json:"open"`
	Count *int  `json:"count"`
}

func TestDecodeMapsAndPointers(t *testing.T) {
	got := shelf{Label: "as before"}
	if err := strictjson.Decode([]byte(`{"boxes": {"A b": {"open": false}, "c": {"count": 0}}}`), &got); err != nil {
		t.Fatal(err)
	}
	closed, none := false, 0
	want := shelf{"as before", map[string]*box{"A b": {Open: &closed}, "c": {Count: &none}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeReportsEveryMistakeInMaps(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"not an object", `{"boxes": []}`, []string{"boxes: want an object, got a list"}},
		{"null", `{"boxes": null}`, []string{"boxes: want an object, got null"}},
		{
			"within", `{"boxes": {"b": {"opened": 1, "open": 1}, "a": 7, "c": {"count": null}}}`,
			[]string{
				"boxes.a: want an object, got the number 7",
				"boxes.b.open: want true or false, got the number 1",
				"boxes.b.opened: unknown field (did you mean open?)",
				"boxes.c.count: want a whole number, got null",
			},
		},
		{"twice", `{"boxes": {"a": {}, "a": {"open": true, "open": true}}}`, []string{"boxes.a: is listed twice", "boxes.a.open: is listed twice"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got shelf
			err := strictjson.Decode([]byte(test.text), &got)
			if diff := cmp.Diff(test.want, lines(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// lines returns the mistakes in an error.
func lines(t *testing.T, err error) []string {
	t.Helper()
	var many *multierror.Error
	if !errors.As(err, &many) {
		t.Fatalf("want a *multierror.Error, got %v", err)
	}
	var lines []string
	for _, one := range many.Errors {
		lines = append(lines, one.Error())
	}
	return lines
}
