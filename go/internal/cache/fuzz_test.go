package cache

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// With any content of the file, a finding that is stored can be recalled, and the file
// remains valid and limited in size.
func FuzzRecall(f *testing.F) {
	f.Add([]byte(`{"a b":{"works":true},"c":{"works":false}}`), "c", true)
	f.Add([]byte(`null`), "", false)
	f.Add([]byte(`{"a":{"works":"yes"},"b":`), "a", true)
	f.Setenv("XDG_CACHE_HOME", f.TempDir())
	f.Fuzz(func(t *testing.T, text []byte, key string, works bool) {
		if !utf8.ValidString(key) {
			return // keys consist of paths and words in UTF-8
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
			t.Errorf("Recall(%q) = %+v, %t", key, got, ok)
		}
		after, kept := file.All(), map[string]finding{}
		data, err := os.ReadFile(file.Path())
		if err != nil || json.Unmarshal(data, &kept) != nil || len(kept) > Limit {
			t.Errorf("%v, %q", err, data)
		}
		for other, found := range before {
			if got, ok := after[other]; len(before) < Limit && other != key && (!ok || got != found) {
				t.Errorf("the finding of %q was %+v and is %+v, %t", other, found, got, ok)
			}
		}
	})
}
