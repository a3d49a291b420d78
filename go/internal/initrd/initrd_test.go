package initrd

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// demo returns the image of the console demo, with fake inputs in a new directory.
func demo(t *testing.T, lines []string) Image {
	t.Helper()
	dir := t.TempDir()
	initrdtest.Write(t, filepath.Join(dir, "busybox"), initrdtest.Busybox(applets...))
	initrdtest.Write(t, filepath.Join(dir, "agent"), initrdtest.Program("agent\n", false))
	return Image{
		Busybox:         filepath.Join(dir, "busybox"),
		ModulesDir:      initrdtest.Modules(t, filepath.Join(dir, "modules"), lines...),
		Modules:         []string{"virtio_pci", "virtio_mmio", "virtio_console", "button"},
		OptionalModules: []string{"evdev"},
		Gettys:          []string{"ttyS0", "hvc0"},
		Hostname:        "console-demo",
		Agent:           filepath.Join(dir, "agent"),
		Files: []File{
			{Path: "/etc/motd", Text: "Welcome.\n"},
			{Path: "/usr/local/bin/program", Source: filepath.Join(dir, "agent"), Mode: "0755"},
		},
	}
}

// TestGolden compares the entries of an image, and the content of the generated ones, with a golden
// file.
func TestGolden(t *testing.T) {
	entries, err := Entries(demo(t, initrdtest.Virtio))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%v /%s\n", e.Mode, e.Path)
		switch e.Path {
		case "etc/hostname", "etc/inittab", "etc/modules", "etc/motd", "init", "var/run":
			for line := range strings.Lines(strings.TrimSuffix(string(e.Data), "\n")) {
				b.WriteString("\t" + line)
			}
			b.WriteString("\n")
		}
	}
	const golden = "testdata/demo.golden"
	if *update {
		initrdtest.Write(t, golden, []byte(b.String()))
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (create it with go test -update)", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (accept it with go test -update)", diff)
	}
}

// TestReproducible builds from inputs that differ only in times, modes and order.
func TestReproducible(t *testing.T) {
	one := demo(t, initrdtest.Virtio)
	reversed := slices.Clone(initrdtest.Virtio)
	slices.Reverse(reversed)
	two := demo(t, reversed)
	slices.Reverse(two.Files)
	old := time.Unix(1, 0)
	for _, p := range []string{two.Busybox, two.ModulesDir, two.Files[0].Source} {
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(two.Busybox, 0o700); err != nil {
		t.Fatal(err)
	}
	hash := func(img Image) string {
		var archive bytes.Buffer
		if err := Build(&archive, img); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", sha256.Sum256(archive.Bytes()))
	}
	if a, b, c := hash(one), hash(one), hash(two); a != b || a != c {
		t.Errorf("three builds gave %s, %s, %s", a, b, c)
	}
}

func TestBuildErrors(t *testing.T) {
	dynamic := filepath.Join(t.TempDir(), "dynamic")
	_, absent := os.Open("/nosuch")
	initrdtest.Write(t, dynamic, initrdtest.Program("/lib/ld.so", true))
	tests := []struct {
		name  string
		spoil func(*Image)
		image bool // an ImageError
		want  string
	}{
		{"not valid", func(img *Image) { img.Hostname = "" }, true, "hostname: invalid host name"},
		{"no busybox", func(img *Image) { img.Busybox = "/nosuch" }, false, "busybox: " + absent.Error()},
		{"no agent", func(img *Image) { img.Agent = "/nosuch" }, false, "agent: " + absent.Error()},
		{"an agent that is not a program", func(img *Image) { img.Agent = img.ModulesDir + "/" + initrdtest.Version + "/modules.dep" }, true, "modules.dep: not a program"},
		{"a dynamically linked agent", func(img *Image) { img.Agent = dynamic }, true, "agent " + dynamic + ": dynamically linked"},
		{"unknown module", func(img *Image) { img.Modules = []string{"nosuch"} }, true, `module "nosuch": not in `},
		{"no source", func(img *Image) { img.Files[1].Source = "/nosuch" }, false, "file /usr/local/bin/program: " + absent.Error()},
		{"a directory as a source", func(img *Image) { img.Files[1].Source = "/" }, false, "file /usr/local/bin/program: "},
		{"a file in place of a directory", func(img *Image) { img.Files[0].Path = "/etc" }, true, "file /etc: the guest has a directory with this name"},
		{"a file below a file", func(img *Image) { img.Files[0].Path = "/etc/rc/x" }, true, "file /etc/rc/x: /etc/rc is not a directory"},
		{"a file below a link", func(img *Image) { img.Files[0].Path = "/var/run/x" }, true, "file /var/run/x: /var/run is not a directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			img := demo(t, initrdtest.Virtio)
			test.spoil(&img)
			var archive bytes.Buffer
			err := Build(&archive, img)
			if err == nil || !strings.Contains(err.Error(), test.want) || IsImageError(err) != test.image {
				t.Errorf("got %v (ImageError: %v)", err, IsImageError(err))
			}
			if archive.Len() != 0 {
				t.Errorf("%d bytes were written", archive.Len())
			}
		})
	}
}
