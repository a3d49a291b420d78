package symbols_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/symbols"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// decoder returns a decoder for testdata/vmlinux, and the warnings that it has printed so far.
func decoder(t testing.TB, o symbols.Options) (d *symbols.Decoder, warnings *[]string) {
	t.Helper()
	warnings = &[]string{}
	o.Vmlinux = "testdata/vmlinux"
	o.Warn = func(err error) { *warnings = append(*warnings, err.Error()) }
	d, err := symbols.NewDecoder(o)
	if err != nil {
		t.Fatal(err)
	}
	return d, warnings
}

// readFile returns the content of a file.
func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestLog decodes a log with two boots. Its lines are those that addr2line prints, for the address
// before a return address.
func TestLog(t *testing.T) {
	d, warnings := decoder(t, symbols.Options{})
	log := readFile(t, "testdata/trace.log")
	var got bytes.Buffer
	for _, w := range []io.WriteCloser{d.Survey(), d.Writer(&got)} {
		if _, err := w.Write(log); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	const golden = "testdata/trace.want"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, golden)), got.String()); diff != "" {
		t.Error(diff)
	}
	want := []string{"module other: not found below testdata (choose the folder with --modules)"}
	if diff := cmp.Diff(want, *warnings); diff != "" {
		t.Error(diff)
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"no frame", "hello 0x1234\n", ""},
		{"no such function", " no_such_function+0x1/0x2\n", ""},
		{"an offset behind the function", " panic+0x21/0x20\n", ""},
		{"no decimal numbers", " panic+9/32\n", ""},
		{"a carriage return", " panic+0x9/0x20\r\n", " panic+0x9/0x20 (init/main.c:11)\r\n"},
		{"two frames", "panic+0x9/0x20 <-- kernel_init+0xd/0x20", "panic+0x9/0x20 (init/main.c:11) <-- kernel_init+0xd/0x20 (init/main.c:29)"},
		{"a prefix of the caller", "[    1.0][    T1]  panic+0x9/0x20\n", "[    1.0][    T1]  panic+0x9/0x20 (init/main.c:11)\n"},
		{"an old kernel", "[<ffffffff81000009>] panic+0x9/0x20\n", "[<ffffffff81000009>] panic+0x9/0x20 (init/main.c:11)\n"},
		{"an address", "[    1.0][    T1]  0xffffffff81000009\r\n", "[    1.0][    T1]  0xffffffff81000009 (panic+0x9/0x20 init/main.c:11)\r\n"},
		{"an address of no function", "  0xffffffff71000009\n", ""},
		{"an address that is not a frame", "base: 0xffffffff81000009\n", ""},
		{"an address of a process", "RIP: 0033:0x47b7a0\n", ""},
		{"the end of the last function", "  0xffffffff82000015\n", "  0xffffffff82000015 (mount_root+0x15/0x15 init/main.c:25)\n"},
		{"the instruction after it", "RIP: 0010:0xffffffff82000015\n", ""},
		{"riscv", "epc : vfs_read+0xd/0x30 ra : vfs_write+0x8/0x30\n", "epc : vfs_read+0xd/0x30 (fs/read.c:12) ra : vfs_write+0x8/0x30 (fs/write.c:9)\n"},
		{"KFENCE", "BUG: KFENCE: out-of-bounds read in vfs_read+0xd/0x30\n", "BUG: KFENCE: out-of-bounds read in vfs_read+0xd/0x30 (fs/read.c:12)\n"},
		{"KASAN", "BUG: KASAN: slab-out-of-bounds in vfs_read+0xd/0x30\n", "BUG: KASAN: slab-out-of-bounds in vfs_read+0xd/0x30 (fs/read.c:11)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, warnings := decoder(t, symbols.Options{})
			want := test.want
			if want == "" {
				want = test.line
			}
			if diff := cmp.Diff(want, d.Line(test.line)); diff != "" || len(*warnings) > 0 {
				t.Error(diff, *warnings)
			}
		})
	}
}

func TestOtherBuild(t *testing.T) {
	const version = "Linux version 6.12.1-test (test@host) (gcc) #%d SMP Thu Jan  1 00:00:00 UTC 1970\n"
	for _, test := range []struct{ name, lines, want string }{
		{"the same version", strings.ReplaceAll(version, "%d", "1"), ""},
		{"another version", strings.ReplaceAll(version+version, "%d", "2"),
			`testdata/vmlinux: of another build than the log: its kernel is "Linux version 6.12.1-test #1 SMP Thu Jan  1 00:00:00 UTC 1970" (the lines may be wrong)`},
		{"a text about Linux", "Linux version 2 is out\n", ""},
		{"another size", "panic+0x9/0x28\npanic+0x9/0x30\ncheck+0x9/0x30\n",
			"testdata/vmlinux: of another build than the log: panic has 0x20 bytes there, and 0x28 in the log (the lines may be wrong)"},
		{"another size in a module", "fuzz_close+0x9/0x28 [fuzz]\nfuzz_close+0x9/0x30 [fuzz]\n",
			"module fuzz: of another build than the log: fuzz_close has 0x20 bytes there, and 0x28 in the log (the lines may be wrong)"},
		{"the last function of a section", "fuzz_open+0x9/0x28 [fuzz]\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, warnings := decoder(t, symbols.Options{})
			for line := range strings.Lines(test.lines) {
				d.Line(line)
			}
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			if diff := cmp.Diff(want, *warnings); diff != "" && (want != nil || len(*warnings) > 0) {
				t.Error(diff)
			}
		})
	}
}

// Lines are found in whichever pieces the text comes.
func TestWriter(t *testing.T) {
	d, _ := decoder(t, symbols.Options{})
	log := string(readFile(t, "testdata/trace.log")) + " panic+0x9/0x20"
	var want strings.Builder
	for line := range strings.Lines(log) {
		want.WriteString(d.Line(line))
	}
	d, _ = decoder(t, symbols.Options{})
	var got strings.Builder
	w := d.Writer(&got)
	for _, c := range []byte(log) {
		if _, err := w.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	stripped := bytes.ReplaceAll(readFile(t, "testdata/vmlinux"), []byte(".debug_info\x00"), []byte(".other_info\x00"))
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"bzImage", []byte("MZ"), "not an ELF file (use vmlinux, not bzImage)"},
		{"stripped", stripped, "no debug information (build the kernel with CONFIG_DEBUG_INFO_DWARF5=y, and use vmlinux, not bzImage)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(dir, test.name)
			if err := os.WriteFile(file, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := symbols.NewDecoder(symbols.Options{Vmlinux: file})
			if err == nil || err.Error() != file+": "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if _, err := symbols.NewDecoder(symbols.Options{Vmlinux: filepath.Join(dir, "absent")}); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

// FuzzLine checks that a line is only added to.
func FuzzLine(f *testing.F) {
	for line := range strings.Lines(string(readFile(f, "testdata/trace.log"))) {
		f.Add(line)
	}
	d, _ := decoder(f, symbols.Options{Modules: f.TempDir()})
	f.Fuzz(func(t *testing.T, line string) {
		got := d.Line(line)
		rest := got
		for _, c := range []byte(line) {
			at := strings.IndexByte(rest, c)
			if at < 0 {
				t.Fatalf("%q has become %q", line, got)
			}
			rest = rest[at+1:]
		}
	})
}
