package accel

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/vmconfig"
)

// chosen returns the reason of choose.
func chosen(t *testing.T, m vmconfig.Machine, device string) string {
	t.Helper()
	choice, err := choose(t.Context(), m, "this kernel", device)
	if err != nil {
		t.Fatal(err)
	}
	return choice.Reason
}

func TestResultIsCached(t *testing.T) {
	for _, word := range []string{"prints", "exits"} {
		t.Run("QEMU "+word, func(t *testing.T) {
			m, device, probes := host(t, word)
			first := chosen(t, m, device)
			for range 3 {
				if got, want := chosen(t, m, device), first+" (cached)"; got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			if n := probes(); n != 1 {
				t.Errorf("%d probes were made, want 1", n)
			}
		})
	}
}

// Each change of what a result depends on gives another key.
func TestCacheKey(t *testing.T) {
	m, bootID, _ := host(t, "prints")
	key := func() string {
		key, err := cacheKey(m, bootID)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	write := func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
	changes := []struct {
		what   string
		change func() error
	}{
		{"the host's boot", func() error { return write(bootID, "another\n") }},
		{"the kernel's size", func() error { return write(m.Kernel, "another") }},
		{"the kernel's time", func() error { return os.Chtimes(m.Kernel, time.Time{}, time.Unix(1, 0)) }},
		{"the kernel's path", func() error { m.Kernel = bootID; return nil }},
		{"QEMU", func() error { m.QEMU = "/bin/sh"; return nil }},
		{"the machine type", func() error { m.Type = "q35"; return nil }},
	}
	seen := map[string]string{key(): "no change"}
	for _, change := range changes {
		if err := change.change(); err != nil {
			t.Fatal(err)
		}
		if like, ok := seen[key()]; ok {
			t.Errorf("after a change of %s the key is the same as after %s: %s", change.what, like, key())
		}
		seen[key()] = change.what
		if first, second := key(), key(); first != second {
			t.Error("the key changes without a change of the host")
		}
	}
}

func TestAnotherKernelIsProbed(t *testing.T) {
	m, device, probes := host(t, "prints")
	chosen(t, m, device)
	if err := os.WriteFile(m.Kernel, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := chosen(t, m, device); strings.HasSuffix(got, "(cached)") || probes() != 2 {
		t.Errorf("%s, after %d probes", got, probes())
	}
}

func TestWithoutACacheDirectory(t *testing.T) {
	homes := []struct{ name, cache, home string }{
		{"a directory that cannot be made", "/proc/none", "/homeless-shelter"},
		{"no home directory", "", ""},
		{"a relative path", "cache", ""},
	}
	for _, test := range homes {
		t.Run(test.name, func(t *testing.T) {
			m, device, probes := host(t, "prints")
			t.Setenv("XDG_CACHE_HOME", test.cache)
			t.Setenv("HOME", test.home)
			for range 2 {
				if got, want := chosen(t, m, device), "this kernel starts under KVM"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			if n := probes(); n != 2 {
				t.Errorf("%d probes were made, want 2", n)
			}
		})
	}
}

func TestCanceledProbeIsNotCached(t *testing.T) {
	m, device, probes := host(t, "hangs")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := choose(ctx, m, "this kernel", device); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	t.Setenv("ACCEL_TEST", "prints")
	if got, want := chosen(t, m, device), "this kernel starts under KVM"; got != want {
		t.Errorf("got %s, want %s (%d probes)", got, want, probes())
	}
}
