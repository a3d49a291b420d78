package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type finding struct {
	Works bool `json:"works"`
}

var file = File[finding]{"test.json"}

// A key changes with the boot of the host, the words, and the files.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	boot, program := dir+"/boot", dir+"/program"
	write := func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
	if err := errors.Join(write(boot, "one\n"), write(program, "first")); err != nil {
		t.Fatal(err)
	}
	words := []string{"q35"}
	key := func() string {
		key, err := Key(boot, words, program)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	seen := map[string]string{key(): "nothing"}
	for _, change := range []struct {
		what string
		make func() error
	}{
		{"the host's boot", func() error { return write(boot, "another\n") }},
		{"a word", func() error { words = []string{"microvm"}; return nil }},
		{"a file's size", func() error { return write(program, "the second") }},
		{"a file's time", func() error { return os.Chtimes(program, time.Time{}, time.Unix(1, 0)) }},
		{"a file's path", func() error { program = boot; return nil }},
	} {
		if err := change.make(); err != nil {
			t.Fatal(err)
		}
		if like, ok := seen[key()]; ok {
			t.Errorf("after a change of %s, the key is the same as after a change of %s: %s", change.what, like, key())
		}
		seen[key()] = change.what
	}
	if _, err := Key(boot, nil, dir+"/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestFileSizeIsLimited(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for i := range 3 * Limit {
		key := fmt.Sprint("key ", i)
		file.Remember(key, finding{Works: true})
		if found, ok := file.Recall(key); !ok || !found.Works {
			t.Fatalf("%s is not stored", key)
		}
		if n := len(file.All()); n > Limit {
			t.Fatalf("%d findings are stored", n)
		}
	}
	left, err := os.ReadDir(filepath.Dir(file.Path()))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestInvalidFileIsReplaced(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `{"key": `, `{"key": 1}`, "\x00\xff"} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			if err := errors.Join(os.MkdirAll(filepath.Dir(file.Path()), 0o700), os.WriteFile(file.Path(), []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
			if _, ok := file.Recall("key"); ok {
				t.Error("found a finding in an invalid file")
			}
			file.Remember("key", finding{true})
			if _, ok := file.Recall("key"); !ok {
				t.Error("the finding was not stored")
			}
		})
	}
}

func TestUnwritableCacheFolder(t *testing.T) {
	for name, cache := range map[string]string{"cannot be made": "/proc/none", "not absolute": "cache"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", cache)
			t.Setenv("HOME", "")
			file.Remember("key", finding{true})
			if _, ok := file.Recall("key"); ok {
				t.Error("the finding was stored")
			}
		})
	}
}
