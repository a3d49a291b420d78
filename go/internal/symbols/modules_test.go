package symbols_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/symbols"
	"microvm-console/internal/testsupport/initrdtest"
)

// install writes files below a folder, and returns the folder.
func install(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// stripped returns the module of testdata without debug information.
func stripped(t *testing.T) []byte {
	return bytes.ReplaceAll(readFile(t, "testdata/fuzz.ko"), []byte(".debug_info\x00"), []byte(".other_info\x00"))
}

// resolved returns the module of testdata as eu-strip writes it: without relocations of the debug
// information, in which each section then begins at 0.
func resolved(t *testing.T) []byte {
	data := readFile(t, "testdata/fuzz.ko")
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	const headers, headerBytes, sizeInHeader = 40, 64, 32 // the ELF header has the offset of the section headers at 40
	at := file.ByteOrder.Uint64(data[headers:])
	for i, section := range file.Sections {
		if strings.HasPrefix(section.Name, ".rela.debug") {
			file.ByteOrder.PutUint64(data[at+uint64(i)*headerBytes+sizeInHeader:], 0)
		}
	}
	return data
}

func TestModules(t *testing.T) {
	const (
		open   = "fuzz_open+0x9/0x11 [fuzz]"
		opened = open + " (drivers/fuzz.c:13)"
		start  = "fuzz_init+0x8/0x1000 [fuzz]"
	)
	module := readFile(t, "testdata/fuzz.ko")
	other := bytes.ReplaceAll(module, []byte("drivers/fuzz.c"), []byte("drivers/wrong.")) // of another kernel
	for _, test := range []struct {
		name  string
		files map[string][]byte
		lines []string
		want  []string
		warns []string // DIR is the folder
	}{
		{"a module", map[string][]byte{"a/fuzz.ko": module}, []string{open}, []string{opened}, nil},
		{"gzip", map[string][]byte{"fuzz.ko.gz": initrdtest.Pack(t, module, ".gz")}, []string{open}, []string{opened}, nil},
		{"xz", map[string][]byte{"fuzz.ko.xz": initrdtest.Pack(t, module, ".xz")}, []string{open}, []string{opened}, nil},
		{"zstd", map[string][]byte{"fuzz.ko.zst": initrdtest.Pack(t, module, ".zst")}, []string{open}, []string{opened}, nil},
		{"its debug information beside it", map[string][]byte{"lib/fuzz.ko.xz": initrdtest.Pack(t, stripped(t), ".xz"), "debug/fuzz.ko.debug": module},
			[]string{open}, []string{opened}, nil},
		{"a hyphen in the file", map[string][]byte{"my-fuzz.ko": module},
			[]string{"fuzz_open+0x9/0x11 [my_fuzz]"}, []string{"fuzz_open+0x9/0x11 [my_fuzz] (drivers/fuzz.c:13)"}, nil},
		{"that of the kernel's release", map[string][]byte{"6.1.0/fuzz.ko": other, "6.12.1-test/fuzz.ko": module}, []string{open}, []string{opened}, nil},
		{"not there", map[string][]byte{"fuz.ko": module}, []string{open, start}, []string{open, start},
			[]string{"module fuzz: not found below DIR (choose the folder with --modules)"}},
		{"stripped", map[string][]byte{"fuzz.ko": stripped(t)}, []string{open, start}, []string{open, start},
			[]string{"module fuzz: DIR/fuzz.ko: no debug information (build it with CONFIG_DEBUG_INFO_DWARF5=y, or choose a folder that has its .ko.debug with --modules)"}},
		{"relocated debug information", map[string][]byte{"fuzz.ko": resolved(t)}, []string{start}, []string{start}, nil},
		{"not a module", map[string][]byte{"fuzz.ko": []byte("text")}, []string{open}, []string{open},
			[]string{"module fuzz: DIR/fuzz.ko: not an ELF file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := install(t, test.files)
			d, warnings := decoder(t, symbols.Options{Modules: dir})
			var got []string
			for _, line := range test.lines {
				got = append(got, d.Line(line))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for i, text := range *warnings {
				(*warnings)[i] = strings.ReplaceAll(text, dir, "DIR")
			}
			if strings.Join(test.warns, "\n") != strings.Join(*warnings, "\n") {
				t.Errorf("got %q, want %q", *warnings, test.warns)
			}
		})
	}
}

// The folder of the modules may be a link, as /lib/modules/VERSION/build is.
func TestModulesBehindALink(t *testing.T) {
	dir := install(t, map[string][]byte{"real/fuzz.ko": readFile(t, "testdata/fuzz.ko")})
	link := filepath.Join(dir, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	d, _ := decoder(t, symbols.Options{Modules: link})
	if got := d.Line("fuzz_open+0x9/0x11 [fuzz]"); !strings.HasSuffix(got, " (drivers/fuzz.c:13)") {
		t.Error(got)
	}
}

// TestManyModules decodes a log that names more modules than there are, as a guest may print it.
func TestManyModules(t *testing.T) {
	d, warnings := decoder(t, symbols.Options{})
	for i := range 2000 {
		d.Line(fmt.Sprintf("f+0x1/0x2 [m%d]", i))
	}
	if last := (*warnings)[len(*warnings)-1]; len(*warnings) > 1000 || !strings.Contains(last, "more than") {
		t.Errorf("%d warnings, the last one %q", len(*warnings), last)
	}
}
