package accel

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"microvm-console/internal/spec"
)

// bootIDFile changes with every boot of the host.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// keyOf names what a verdict holds for: host boot, kernel, QEMU and machine
// type. A file is told by its path, size and time of change; the host's boot by
// what bootID holds.
func keyOf(m spec.Machine, bootID string) (string, error) {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return "", err
	}
	program, err := exec.LookPath(m.QEMU)
	if err != nil {
		return "", err
	}
	parts := []string{strings.TrimSpace(string(boot)), m.Type}
	for _, path := range []string{program, m.Kernel} {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%s:%d:%d", path, info.Size(), info.ModTime().UnixNano()))
	}
	return strings.Join(parts, " "), nil
}

// memoryLimit bounds the number of verdicts that are kept.
const memoryLimit = 64

// memoryFile is where verdicts are kept, "" where there is no such place.
func memoryFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "microvm", "kvm.json")
}

// load reads the verdicts. A memory that cannot be read is an empty one: the
// worst that follows is another probe.
func load() map[string]verdict {
	verdicts := map[string]verdict{}
	data, err := os.ReadFile(memoryFile())
	if err != nil || json.Unmarshal(data, &verdicts) != nil || verdicts == nil {
		return map[string]verdict{}
	}
	return verdicts
}

func recall(key string) (verdict, bool) {
	v, ok := load()[key]
	return v, ok
}

// remember keeps a verdict, as well as it can: a host without a writable home
// probes each time.
func remember(key string, v verdict) {
	path := memoryFile()
	verdicts := load()
	if len(verdicts) >= memoryLimit {
		verdicts = map[string]verdict{}
	}
	verdicts[key] = v
	data, err := json.MarshalIndent(verdicts, "", "  ")
	if path == "" || err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if os.WriteFile(fresh, append(data, '\n'), 0o600) != nil || os.Rename(fresh, path) != nil {
		os.Remove(fresh)
	}
}
