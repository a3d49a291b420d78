package virtiofsd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArgs(t *testing.T) {
	newest, old := Program{Path: "/v", CanReadOnly: true}, Program{Path: "/v"}
	tests := []struct {
		name    string
		program Program
		share   Share
		want    string
	}{
		{"root, read-only", newest, Share{Dir: "/a b", Root: true}, "/v|--fd=3|--shared-dir=/a b|--sandbox=chroot|--log-level=error|--readonly"},
		{"a user, writable", newest, Share{Dir: "x", Writable: true}, "/v|--fd=3|--shared-dir=x|--sandbox=none|--log-level=error"},
		{"an old one, writable", old, Share{Dir: "x", Writable: true}, "/v|--fd=3|--shared-dir=x|--sandbox=none|--log-level=error"},
		{"an old one, read-only", old, Share{Dir: "x"},
			"/v: too old for a read-only share: it has no --readonly (install a newer one, or set driver to 9p or readOnly to false)"},
	}
	for _, test := range tests {
		args, err := test.program.Args(test.share, 3)
		got := strings.Join(args, "|")
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	args, err := newest.ByHand(Share{Dir: "x"}, "/s.sock")
	if err != nil || args[1] != "--socket-path=/s.sock" {
		t.Errorf("by hand: %q, %v", args, err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	installed := places
	t.Cleanup(func() { places = installed })
	places = []string{filepath.Join(dir, "libexec"), filepath.Join(dir, "lib")}
	if _, err := Find(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "virtiofsd: not in PATH, /usr/libexec or /usr/lib (") {
		t.Errorf("none: %v", err)
	}
	install := func(path, help string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+help+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	install(places[1], "--shared-dir <SHARED_DIR>")
	if got, err := Find(t.Context()); err != nil || got != (Program{Path: places[1]}) {
		t.Errorf("in /usr/lib: %+v, %v", got, err)
	}
	install(places[0], "--shared-dir --readonly")
	if got, err := Find(t.Context()); err != nil || got != (Program{Path: places[0], CanReadOnly: true}) {
		t.Errorf("in /usr/libexec: %+v, %v", got, err)
	}
	install(filepath.Join(os.Getenv("PATH"), "virtiofsd"), "-o source=PATH")
	if got, err := Find(t.Context()); err == nil || !strings.Contains(err.Error(), "not the virtiofsd in Rust") {
		t.Errorf("that of QEMU in PATH: %+v, %v", got, err)
	}
}
