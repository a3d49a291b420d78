// Package cache stores findings about this host across processes.
//
// A finding is stored under a key that names everything it depends on: the boot of the
// host, and files by path, size and modification time. Errors are ignored: a finding that
// cannot be read or written is determined again.
package cache

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// BootIDFile contains an ID that changes with every boot of the host.
const BootIDFile = "/proc/sys/kernel/random/boot_id"

// Limit is the maximum number of findings in a file.
const Limit = 64

// Key returns a key for a finding that depends on the boot of the host, on words, and on
// files. The file bootID identifies the boot.
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

// File is a file with findings of one kind.
type File[T any] struct {
	// Name is the name of the file in the folder microvm of the user's cache folder.
	Name string
}

// Path returns the path of the file: in the cache folder of the service of a VM (CacheDirectory= in
// systemd.exec(5)), or else in the user's. It is "" if the user has no cache folder.
func (f File[T]) Path() string {
	if dir := os.Getenv("CACHE_DIRECTORY"); strings.Contains(dir, "/microvm/") && !strings.Contains(dir, ":") {
		return filepath.Join(dir, f.Name)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "microvm", f.Name)
}

// All returns the stored findings by key.
func (f File[T]) All() map[string]T {
	all := map[string]T{}
	data, err := os.ReadFile(f.Path())
	if err != nil || json.Unmarshal(data, &all) != nil || all == nil {
		return map[string]T{}
	}
	return all
}

// Recall returns the finding stored under key. ok reports whether there is one.
func (f File[T]) Recall(key string) (finding T, ok bool) {
	finding, ok = f.All()[key]
	return finding, ok
}

// Remember stores a finding, if the cache folder can be written.
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
