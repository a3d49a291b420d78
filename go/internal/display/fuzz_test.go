package display

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/state"
)

// Whatever a control socket answers, what is printed has no control characters, and the JSON is
// equal to the answer.
func FuzzStatus(f *testing.F) {
	for _, machine := range []state.Machine{demo, plain, starting, shortOf, paused} {
		text, err := json.Marshal(machine)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"name":"\u001b[2J","state":"ready","readyBy":"\u009b","consoles":[{"name":"\n\t","port":1,"relay":{"gaps":[{"cause":"\u202e"}]}},{}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var status, again state.Machine
		if json.Unmarshal(answer, &status) != nil {
			return
		}
		var table, text bytes.Buffer
		all := state.All{VMs: []state.Machine{status, status}, Channels: []state.Machine{status}}
		if err := errors.Join(Table(&table, all, Screen{}), Table(&table, all, Screen{Columns: 80})); err != nil {
			t.Fatal(err)
		}
		if err := JSON(&text, status); err != nil {
			return // RFC 3339 has no such year
		}
		for _, shown := range []string{table.String(), text.String()} {
			if bytes.ContainsFunc([]byte(shown), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Errorf("%q", shown)
			}
		}
		if err := json.Unmarshal(text.Bytes(), &again); err != nil {
			t.Fatalf("%v: %s", err, text.Bytes())
		}
		if diff := cmp.Diff(status, again); diff != "" {
			t.Error(diff)
		}
	})
}
