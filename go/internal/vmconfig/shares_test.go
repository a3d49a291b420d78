package vmconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/vmconfig"
)

// shares returns the least vm.json with shares.
func shares(all ...string) string {
	return `{"shares": [` + strings.Join(all, ", ") + `], ` + least[1:]
}

func TestParseShares(t *testing.T) {
	got, err := vmconfig.Parse([]byte(shares(
		`{"source": "src, a:b", "target": "/src"}`,
		`{"source": "/out", "target": "/var/out", "readOnly": false, "driver": "virtiofs"}`,
		`{"source": "/in", "target": "/in", "readOnly": true, "driver": "9p"}`,
	)))
	if err != nil {
		t.Fatal(err)
	}
	no, yes := false, true
	want := []vmconfig.Share{
		{Source: "src, a:b", Target: "/src"},
		{Source: "/out", Target: "/var/out", ReadOnly: &no, Driver: "virtiofs"},
		{Source: "/in", Target: "/in", ReadOnly: &yes, Driver: "9p"},
	}
	if diff := cmp.Diff(want, got.Shares); diff != "" {
		t.Error(diff)
	}
	for i, want := range []bool{false, true, false} {
		if got.Shares[i].Writable() != want {
			t.Errorf("shares[%d]: writable is %t", i, !want)
		}
	}
	for i, share := range got.WithoutChanges().Shares {
		if share.Writable() {
			t.Errorf("shares[%d] is writable in a test", i)
		}
	}
	if !got.Shares[1].Writable() {
		t.Error("WithoutChanges has changed the machine")
	}
}

func TestParseReportsMistakesInShares(t *testing.T) {
	const pathRule = `: want an absolute path other than "/", without ".." or a trailing slash`
	tests := []struct {
		name   string
		shares []string
		want   []string
	}{
		{"an empty share", []string{`{}`}, []string{
			"shares[0].source: is missing (set it to a directory of this host)",
			"shares[0].target: is missing (set it to the path in the guest)",
		}},
		{"a NUL byte", []string{`{"source": "/a\u0000b", "target": "/t"}`}, []string{`shares[0].source: invalid path "/a\x00b"`}},
		{"drivers", []string{
			`{"source": "/s", "target": "/a", "driver": "virtio-fs"}`, `{"source": "/s", "target": "/b", "driver": "nfs"}`,
		}, []string{
			`shares[0].driver: unknown driver "virtio-fs" (did you mean virtiofs?)`,
			`shares[1].driver: unknown driver "nfs" (known: 9p, virtiofs)`,
		}},
		{"targets", []string{
			`{"source": "/s", "target": "/"}`, `{"source": "/s", "target": "a"}`, `{"source": "/s", "target": "/a b"}`, `{"source": "/s", "target": "/a,b"}`,
		}, []string{
			`shares[0].target: invalid target "/"` + pathRule,
			`shares[1].target: invalid target "a"` + pathRule,
			`shares[2].target: invalid target "/a b": want no white space, commas, quotes and characters that are special in a shell`,
			`shares[3].target: invalid target "/a,b": want no white space, commas, quotes and characters that are special in a shell`,
		}},
		{"equal targets", []string{`{"source": "/s", "target": "/a"}`, `{"source": "/t", "target": "/a"}`}, []string{
			`shares[1].target: "/a" is also the target of shares[0] (targets must differ)`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(shares(test.shares...)))
			if diff := cmp.Diff(test.want, messages(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("the target of a disk", func(t *testing.T) {
		_, err := vmconfig.Parse([]byte(`{"disks": [{"name": "d", "sizeMiB": 8, "fs": "ext4", "target": "/a"}], ` + shares(`{"source": "/s", "target": "/a"}`)[1:]))
		want := []string{`shares[0].target: "/a" is also the target of disks[0] (targets must differ)`}
		if diff := cmp.Diff(want, messages(t, err)); diff != "" {
			t.Error(diff)
		}
	})
}

// A share's source is checked on the host that starts the VM, since the one that builds it may lack it.
func TestSourcesOfShares(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	_, absent := os.Stat(filepath.Join(dir, "absent"))
	const remedy = " (set it to a directory that this user can read)"
	for _, test := range []struct{ source, want string }{
		{dir, ""},
		{filepath.Join(dir, "absent"), "shares[1].source: " + absent.Error() + remedy},
		{file, "shares[1].source: " + file + " is not a directory" + remedy},
		{fifo, "shares[1].source: " + fifo + " is not a directory" + remedy},
	} {
		machine := vmconfig.Machine{Shares: []vmconfig.Share{{Source: dir}, {Source: test.source}}}
		got := ""
		if err := machine.CheckDevices(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.source, got, test.want)
		}
		var all, want []string
		if err := machine.CheckShares(); err != nil {
			all = messages(t, err)
		}
		if test.want != "" {
			want = []string{test.want}
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Error(diff)
		}
	}
}
