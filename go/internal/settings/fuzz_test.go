package settings_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/settings"
)

// No content of a file makes Parse panic, and valid settings stay the same if they are
// written and parsed again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"directory": "/run/q", "retentionMiB": 16, "channels": {"serial": {"tcp": 1}, "a": {"enable": false}}}`))
	f.Add([]byte(`{"channels": {"serial": null, "": {}, "debugcon": {"input": true}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := settings.Parse(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		again, err := settings.Parse(written)
		if diff := cmp.Diff(read, again); diff != "" || err != nil {
			t.Error(err, diff)
		}
		if len(read.Names()) == 0 {
			t.Error("no channel is enabled")
		}
	})
}
