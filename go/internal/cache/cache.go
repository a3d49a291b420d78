// Package cache remembers what was found out about this host, over processes.
//
// A finding is kept under a key that names all it depends on: the host's boot, and
// files by their path, size and time of change. What cannot be read or written is not
// remembered; the worst that follows is that it is found out again.
package cache

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// BootIDFile changes with every boot of the host.
const BootIDFile = "/proc/sys/kernel/random/boot_id"

// Limit bounds the number of findings in a file.
const Limit = 64

// Key names what a finding depends on: the boot of the host, which the file bootID
// names, words, and files.
func Key(bootID string, words []string, files ...string) (string, error) {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return "", err
	}
	parts := append([]string{strings.TrimSpace(string(boot))}, words...)
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%s:%d:%d", path, info.Size(), info.ModTime().UnixNano()))
	}
	return strings.Join(parts, " "), nil
}

// File is a file of findings of one kind.
type File[T any] struct {
	// Name is the file's name in the folder microvm of the user's cache folder.
	Name string
}

// Path returns where the file is; "" if the user has no cache folder.
func (f File[T]) Path() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "microvm", f.Name)
}

// All returns the findings that are kept, by key.
func (f File[T]) All() map[string]T {
	all := map[string]T{}
	data, err := os.ReadFile(f.Path())
	if err != nil || json.Unmarshal(data, &all) != nil || all == nil {
		return map[string]T{}
	}
	return all
}

// Recall returns the finding that is kept under key.
func (f File[T]) Recall(key string) (finding T, ok bool) {
	finding, ok = f.All()[key]
	return finding, ok
}

// Remember keeps a finding, if there is a folder for it that can be written.
func (f File[T]) Remember(key string, finding T) {
	path := f.Path()
	all := f.All()
	if len(all) >= Limit {
		all = map[string]T{}
	}
	all[key] = finding
	data, err := json.MarshalIndent(all, "", "  ")
	if path == "" || err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if os.WriteFile(fresh, append(data, '\n'), 0o600) != nil || os.Rename(fresh, path) != nil {
		os.Remove(fresh)
	}
}
