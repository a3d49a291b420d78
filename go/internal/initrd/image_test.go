package initrd

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
)

// mistakes returns the mistakes that err tells, with dir written as DIR.
func mistakes(err error, dir string) []string {
	var many *multierror.Error
	if !errors.As(err, &many) {
		if err == nil {
			return nil
		}
		many = multierror.Append(nil, err)
	}
	var told []string
	for _, one := range many.Errors {
		told = append(told, strings.ReplaceAll(one.Error(), dir, "DIR"))
	}
	return told
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name string
		json string
		want []string
	}{
		{"the least", `{"busybox": "b", "hostname": "h"}`, nil},
		{"everything", `{"busybox": "b", "modulesDir": "m", "modules": ["a", "b-c"], "optionalModules": ["d"],
			"gettys": ["ttyS0", "hvc0"], "hostname": "console-demo", "start": "echo hello", "agent": "a",
			"files": [{"path": "/a", "text": "x", "mode": "0755"}, {"path": "/b/c", "source": "/s"}]}`, nil},
		{"empty", `{}`, []string{
			`busybox: missing (the path of a statically linked busybox)`,
			`hostname: want letters, digits and inner hyphens, at most 63, got ""`,
		}},
		{"no login at all", `{"busybox": "b", "hostname": "h", "gettys": []}`, []string{
			`gettys: missing (the terminals with a login, such as "ttyS0")`,
		}},
		{"names that would break the guest's files", `{"busybox": "b", "hostname": "a b",
			"gettys": ["ttyS0", "../x", "ttyS0"], "modulesDir": "m", "modules": ["a.ko"], "optionalModules": [""]}`, []string{
			`hostname: want letters, digits and inner hyphens, at most 63, got "a b"`,
			`gettys[1]: "../x" is no name`,
			`gettys[2]: "ttyS0" comes twice`,
			`modules[0]: "a.ko" is no name`,
			`optionalModules[0]: "" is no name`,
		}},
		{"modules from nowhere", `{"busybox": "b", "hostname": "h", "gettys": ["ttyS0"], "modules": ["a"]}`, []string{
			`modulesDir: missing, but modules are asked for (a kernel's lib/modules)`,
		}},
		{"files", `{"busybox": "b", "hostname": "h", "gettys": ["ttyS0"], "files": [
			{"path": "a"}, {"path": "/"}, {"path": "/a/../b"}, {"path": "/TRAILER!!!"}, {"path": "/a\u0000b"},
			{"path": "/d", "text": "t", "source": "s"}, {"path": "/d"},
			{"path": "/e", "mode": "1777"}, {"path": "/f", "mode": "rwx"}]}`, []string{
			`files[0].path: want an absolute path without ".." or a trailing slash, got "a"`,
			`files[1].path: want an absolute path without ".." or a trailing slash, got "/"`,
			`files[2].path: want an absolute path without ".." or a trailing slash, got "/a/../b"`,
			`files[3].path: want an absolute path without ".." or a trailing slash, got "/TRAILER!!!"`,
			`files[4].path: want an absolute path without ".." or a trailing slash, got "/a\x00b"`,
			`files[5]: text and source exclude each other`,
			`files[6].path: "/d" comes twice`,
			`files[7].mode: want octal permission bits such as "0755", got "1777"`,
			`files[8].mode: want octal permission bits such as "0755", got "rwx"`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.json))
			if diff := cmp.Diff(test.want, mistakes(err, "-")); diff != "" {
				t.Error(diff)
			}
			if err != nil && !IsImageError(err) {
				t.Errorf("%v is no ImageError", err)
			}
		})
	}
}

func TestGettysOfTheDefaultConsoles(t *testing.T) {
	img, err := Decode([]byte(`{"busybox": "b", "hostname": "h"}`))
	if diff := cmp.Diff([]string{"ttyS0", "hvc0"}, img.Gettys); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// How unknown fields and wrong types are told is tested where they are found,
// in spec; here only that they are, beside a mistake of another kind.
func TestDecodeIsStrict(t *testing.T) {
	_, err := Decode([]byte(`{"busybox": 1, "initrd": "x"}`))
	if told := mistakes(err, "-"); len(told) != 3 || !IsImageError(err) {
		t.Errorf("told %q", told)
	}
}
