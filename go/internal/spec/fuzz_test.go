package spec_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"microvm-console/internal/spec"
)

// FuzzParse wants no panic whatever the file holds, and a machine that is
// valid to be the same machine when it has been written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	for _, test := range mistakes {
		f.Add([]byte(test.text))
	}
	for _, test := range checkMistakes {
		f.Add([]byte(checks(test.checks...)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		machine, err := spec.Parse(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(machine)
		if err != nil {
			t.Fatal(err)
		}
		again, err := spec.Parse(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if diff := cmp.Diff(machine, again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
