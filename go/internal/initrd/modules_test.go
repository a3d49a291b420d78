package initrd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
)

// The image does not depend on the compression of the modules.
func TestAddModules(t *testing.T) {
	var want map[string]string
	for _, suffix := range initrdtest.Suffixes {
		dir := t.TempDir()
		for _, name := range []string{"virtio.ko", "char/virtio-rng.ko"} {
			data := initrdtest.Pack(t, initrdtest.Program(name, false), suffix)
			initrdtest.Write(t, dir+"/6/kernel/"+name+suffix, data)
		}
		dep := strings.ReplaceAll("kernel/char/virtio-rng.ko: kernel/virtio.ko\nkernel/virtio.ko:\n", ".ko", ".ko"+suffix)
		initrdtest.Write(t, dir+"/6/modules.dep", []byte(dep))
		image := tree{}
		if err := image.addModules(Image{ModulesDir: dir, Modules: []string{"virtio_rng"}}); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range image.sorted() {
			if e.Mode.IsRegular() {
				got["/"+e.Path] = string(e.Data)
			}
		}
		if want == nil {
			want = map[string]string{
				"/etc/modules":                             "/lib/modules/6/kernel/virtio.ko\n/lib/modules/6/kernel/char/virtio-rng.ko\n",
				"/lib/modules/6/kernel/virtio.ko":          string(initrdtest.Program("virtio.ko", false)),
				"/lib/modules/6/kernel/char/virtio-rng.ko": string(initrdtest.Program("char/virtio-rng.ko", false)),
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", suffix, diff)
		}
	}
}

func TestAddModulesNamesABrokenModule(t *testing.T) {
	dir := initrdtest.Modules(t, t.TempDir(), "a.ko.xz:")
	err := tree{}.addModules(Image{ModulesDir: dir, Modules: []string{"a"}})
	if err == nil || !IsImageError(err) || !strings.HasPrefix(err.Error(), "module "+dir+"/"+initrdtest.Version+"/a.ko.xz: ") {
		t.Error(err)
	}
}
