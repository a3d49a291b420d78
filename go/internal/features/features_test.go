package features

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/qemu"
)

// fake creates a program that prints help like QEMU. calls returns how often it was run.
func fake(t *testing.T, script string) (program string, calls func() int) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir+"/cache")
	program, log := filepath.Join(dir, "qemu"), filepath.Join(dir, "calls")
	text := "#!/bin/sh\necho called >>" + log + "\n" + script
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, func() int {
		text, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n")
	}
}

func TestOf(t *testing.T) {
	const (
		refusesSandbox = `[ "$1" = -sandbox ] && { echo "$0: -sandbox support is not enabled" >&2; exit 1; }` + "\n"
		recent         = `echo "-run-with [async-teardown=on|off][,chroot=dir]"; echo "          [,exit-with-parent=on|off]"` + "\n"
		early          = `echo "-sandbox on[,obsolete=allow|deny]"` + "\n"
	)
	tests := []struct {
		name, script string
		want         qemu.Features
		calls        int
	}{
		{"11.1", recent, qemu.Features{Sandbox: true, ExitWithParent: true}, 1},
		{"7.2", early, qemu.Features{Sandbox: true}, 1},
		{"without seccomp", refusesSandbox + recent, qemu.Features{ExitWithParent: true}, 2},
		{"neither", refusesSandbox + early, qemu.Features{}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			program, calls := fake(t, test.script)
			for range 3 {
				got, err := Of(t.Context(), program)
				if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
					t.Error(err, diff)
				}
			}
			if n := calls(); n != test.calls {
				t.Errorf("QEMU was run %d times, want %d", n, test.calls)
			}
		})
	}
}

func TestOfMissingProgram(t *testing.T) {
	if _, err := Of(t.Context(), "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
