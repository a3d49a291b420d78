package kmodules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
)

func TestOpenErrors(t *testing.T) {
	absent := &os.PathError{Op: "open", Path: "DIR/6/modules.dep", Err: syscall.ENOENT}
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no kernel", nil, "modulesDir DIR: want the modules of one kernel, found 0 ()"},
		{"two kernels", map[string]string{"5/modules.dep": "", "6/modules.dep": ""},
			"modulesDir DIR: want the modules of one kernel, found 2 (5, 6)"},
		{"a file in place of a kernel", map[string]string{"6": ""}, "modulesDir DIR: want the modules of one kernel, found 0 ()"},
		{"no modules.dep", map[string]string{"6/modules.order": ""},
			"modulesDir: " + absent.Error() + " (create it with depmod -b)"},
		{"not modules.dep", map[string]string{"6/modules.dep": "\n# text\nkernel/a.ko\n"}, "DIR/6/modules.dep: line 3: no colon"},
		{"a path outside the directory", map[string]string{"6/modules.dep": "../a.ko:"},
			`DIR/6/modules.dep: line 1: "../a.ko" is not a module in the kernel's directory`},
		{"the directory itself", map[string]string{"6/modules.dep": "a.ko: .\n"},
			`DIR/6/modules.dep: line 1: "." is not a module in the kernel's directory`},
		{"an absolute path", map[string]string{"6/modules.dep": "a.ko: /b.ko"},
			`DIR/6/modules.dep: line 1: "/b.ko" is not a module in the kernel's directory`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				initrdtest.Write(t, filepath.Join(dir, file), []byte(text))
			}
			_, err := Open(dir)
			if diff := cmp.Diff([]string{test.want}, initrdtest.Mistakes(err, dir)); diff != "" {
				t.Error(diff)
			}
			if wrong := (*Error)(nil); !errors.As(err, &wrong) {
				t.Errorf("%v is not an Error", err)
			}
		})
	}
}

func TestOpenFollowsALink(t *testing.T) {
	real, dir := initrdtest.Modules(t, t.TempDir(), "a.ko:"), t.TempDir()
	if err := os.Symlink(filepath.Join(real, initrdtest.Version), filepath.Join(dir, "6.6.6")); err != nil {
		t.Fatal(err)
	}
	tree, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Version != "6.6.6" || tree.paths["a"] != "a.ko" {
		t.Errorf("got %+v", tree)
	}
}

func FuzzParseNeeds(f *testing.F) {
	f.Add(strings.Join(initrdtest.Virtio, "\n"))
	f.Add("a.ko.xz: b-c.ko.zst\n\n# x\nb-c.ko.zst:")
	f.Add("a: ../../b.ko")
	f.Add(":")
	f.Fuzz(func(t *testing.T, text string) {
		needs, err := parseNeeds(strings.NewReader(text))
		if err != nil {
			return
		}
		tree := &Tree{needs: needs, paths: map[string]string{}}
		for file, list := range needs {
			for _, p := range append(list, file) {
				if !strings.HasPrefix(filepath.Join("/modules", p), "/modules/") {
					t.Errorf("%q is outside the directory", p)
				}
			}
			tree.paths[Name(file)] = file
		}
		// Each walk ends, and loads a module only after those that it needs.
		for name := range tree.paths {
			order, err := tree.LoadOrder([]string{name}, nil)
			if err == nil {
				checkOrder(t, needs, order)
			}
		}
	})
}

// checkOrder fails the test unless each module is loaded once, after the modules that it needs.
func checkOrder(t *testing.T, needs map[string][]string, order []string) {
	loaded := map[string]bool{}
	for _, file := range order {
		if loaded[file] {
			t.Errorf("%q is loaded twice", file)
		}
		for _, need := range needs[file] {
			if !loaded[need] {
				t.Errorf("%q is loaded before %q", file, need)
			}
		}
		loaded[file] = true
	}
}
