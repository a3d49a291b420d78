package initrd

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
)

// An image with services and packages has a script and a line of inittab for each service, and a
// link for each program.
func TestServicesAndPackages(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, file := range []string{first + "/bin/curl", second + "/bin/curl", second + "/bin/wget"} {
		initrdtest.Write(t, file, nil)
	}
	img := demo(t, initrdtest.Virtio)
	img.Services = []Service{{Name: "web", Run: "httpd -f\nsleep 1"}}
	img.Packages = []string{first, second}
	entries, err := Entries(img)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		got[e.Path] = e.Mode.String() + " " + string(e.Data)
	}
	plain := img
	plain.Services = nil
	want := map[string]string{
		"etc/services/web": "-rwxr-xr-x #!/bin/busybox sh\nhttpd -f\nsleep 1\n",
		"usr/bin/curl":     "Lrwxrwxrwx " + filepath.Join(first, "bin/curl"),
		"usr/bin/wget":     "Lrwxrwxrwx " + filepath.Join(second, "bin/wget"),
		"etc/inittab":      "-rw-r--r-- ::sysinit:/etc/rc\nnull::respawn:/etc/service web\n" + string(inittab(plain))[len("::sysinit:/etc/rc\n"):],
	}
	for path, text := range want {
		if diff := cmp.Diff(text, got[path]); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	img.Packages = []string{filepath.Join(first, "bin")}
	if _, err := Entries(img); !IsImageError(err) {
		t.Errorf("a package without bin: %v", err)
	}
}
