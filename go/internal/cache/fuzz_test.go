package cache

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// Whatever the file holds, what is remembered is recalled, and the file stays one that
// can be read, and bounded.
func FuzzRecall(f *testing.F) {
	f.Add([]byte(`{"a b":{"works":true},"c":{"works":false}}`), "c", true)
	f.Add([]byte(`null`), "", false)
	f.Add([]byte(`{"a":{"works":"yes"},"b":`), "a", true)
	f.Setenv("XDG_CACHE_HOME", f.TempDir())
	f.Fuzz(func(t *testing.T, text []byte, key string, works bool) {
		if !utf8.ValidString(key) {
			return // a key is made of paths and words that are text
		}
		if err := os.MkdirAll(filepath.Dir(file.Path()), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file.Path(), text, 0o600); err != nil {
			t.Fatal(err)
		}
		before := file.All()
		file.Remember(key, finding{works})
		if got, ok := file.Recall(key); !ok || got.Works != works {
			t.Errorf("%q is %+v, %t", key, got, ok)
		}
		after, kept := file.All(), map[string]finding{}
		data, err := os.ReadFile(file.Path())
		if err != nil || json.Unmarshal(data, &kept) != nil || len(kept) > Limit {
			t.Errorf("%v, %q", err, data)
		}
		for other, found := range before {
			if got, ok := after[other]; len(before) < Limit && other != key && (!ok || got != found) {
				t.Errorf("%q was %+v and is %+v, %t", other, found, got, ok)
			}
		}
	})
}
