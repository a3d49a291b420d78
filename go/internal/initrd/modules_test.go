package initrd

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"microvm-console/internal/testsupport/initrdtest"
)

// suffixes are the suffixes of a module's file after ".ko".
var suffixes = []string{"", ".gz", ".xz", ".zst"}

// pack compresses data according to suffix.
func pack(t testing.TB, data []byte, suffix string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch suffix {
	case "":
		return data
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	module := initrdtest.Program(strings.Repeat("module ", 1000), false)
	size := int64(len(module))
	for _, suffix := range suffixes {
		t.Run("ko"+suffix, func(t *testing.T) {
			packed := pack(t, module, suffix)
			got, err := unpack(packed, suffix, size)
			if err != nil || !bytes.Equal(got, module) {
				t.Errorf("unpacked %d of %d bytes: %v", len(got), size, err)
			}
			if _, err := unpack(packed, suffix, size-1); err == nil || !strings.Contains(err.Error(), "more than") {
				t.Errorf("too large: %v", err)
			}
			if _, err := unpack(pack(t, []byte("text"), suffix), suffix, size); err == nil {
				t.Error("no error for text")
			}
			if _, err := unpack(packed[:len(packed)/2], suffix, size); suffix != "" && err == nil {
				t.Error("no error for half a file")
			}
		})
	}
	if _, err := unpack(module, ".lz4", size); err == nil {
		t.Error("no error for an unknown suffix")
	}
}

// The image does not depend on the compression of the modules.
func TestAddModules(t *testing.T) {
	var want map[string]string
	for _, suffix := range suffixes {
		dir := t.TempDir()
		for _, name := range []string{"virtio.ko", "char/virtio-rng.ko"} {
			data := pack(t, initrdtest.Program(name, false), suffix)
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

func FuzzUnpack(f *testing.F) {
	for _, suffix := range suffixes {
		f.Add(pack(f, initrdtest.Program("module", false), suffix), suffix)
	}
	f.Fuzz(func(t *testing.T, packed []byte, suffix string) {
		const limit = 1 << 16
		data, err := unpack(packed, suffix, limit)
		if err == nil && (len(data) > limit || !bytes.HasPrefix(data, []byte("\x7fELF"))) {
			t.Errorf("unpacked %d bytes: %.8q", len(data), data)
		}
	})
}
