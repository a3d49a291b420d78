package guest

import (
	"cmp"
	"debug/elf"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// decodeScript has the kernel print traces from which it continues: the process that writes the
// name of one to the file ends.
const decodeScript = `
mount -t debugfs debugfs /sys/kernel/debug
for name in BUG WARNING WARNING_MESSAGE EXCEPTION CORRUPT_STACK ACCESS_NULL EXEC_DATA WRITE_RO WRITE_KERN \
	REFCOUNT_INC_ZERO REFCOUNT_ADD_ZERO REFCOUNT_DEC_ZERO REFCOUNT_SUB_AND_TEST_ZERO
do
	(echo $name >/sys/kernel/debug/provoke-crash/DIRECT) || true
done
dmesg
`

// decodedFrame matches a frame in a log, and its source lines.
var decodedFrame = regexp.MustCompile(`([\w.]+)\+0x([0-9a-f]+)/0x([0-9a-f]+)(?: \(([^)]*)\))?`)

// TestDecode compares the source lines of the traces of guest-kernel-debug with addr2line, which the
// kernel's own scripts/decode_stacktrace.sh uses.
func TestDecode(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("addr2line"); err != nil {
		harness.Skip(t, "addr2line", "install binutils")
	}
	demo := kernelDemo(t, "guest-kernel-debug", "debug-guest")
	vmlinux := filepath.Join(harness.Build(t, "guest-kernel-debug"), "vmlinux")
	log := filepath.Join(t.TempDir(), "log")
	harness.WriteFile(t, log, inFlavor(t, demo, decodeScript, nil))
	output := harness.Must(t, harness.Root, harness.Tool(t, "console-log"), "--file", log, "--decode", vmlinux)
	if traces := strings.Count(output, "Call Trace:"); traces < 10 || strings.Contains(output, "of another build") {
		t.Fatalf("%d traces, want 10 at least, of the kernel in %s:\n%s", traces, vmlinux, output)
	}
	addresses, decoded := framesOf(t, vmlinux, output)
	compared := 0
	for i, want := range addressLines(t, vmlinux, addresses) {
		if strings.HasPrefix(want, "??") { // addr2line knows no line
			want = ""
		}
		if !sameLines(decoded[i], want) {
			t.Errorf("%s: got %q, want %q", addresses[i], decoded[i], want)
		}
		if want != "" {
			compared++
		}
	}
	if compared < 50 {
		t.Errorf("%d frames with source lines, want 50 at least:\n%s", compared, output)
	}
}

// sameLines reports whether two lists of source lines are equal, except for folders at the beginning
// of those in want.
func sameLines(got, want string) bool {
	return slices.EqualFunc(strings.Fields(got), strings.Fields(want), func(a, b string) bool {
		return a == b || strings.HasSuffix(b, "/"+a)
	})
}

// framesOf returns the addresses of the frames in a decoded log, each with the source lines there.
// A return address is that of the byte before. Functions whose name and size are not unique are
// left out.
func framesOf(t *testing.T, vmlinux, output string) (addresses, lines []string) {
	functions := functionsOf(t, vmlinux)
	for line := range strings.Lines(output) {
		for _, match := range decodedFrame.FindAllStringSubmatch(line, -1) {
			found := functions[match[1]+"/0x"+match[3]]
			offset, err := strconv.ParseUint(match[2], 16, 64)
			if err != nil || len(found) != 1 {
				continue
			}
			if offset > 0 && !strings.Contains(line, "RIP: ") && !strings.Contains(line, "WARNING: ") {
				offset--
			}
			addresses = append(addresses, fmt.Sprintf("%#x", found[0]+offset))
			lines = append(lines, match[4])
		}
	}
	return addresses, lines
}

// functionsOf returns the addresses of the functions in a vmlinux, by name/size. A function
// ends at the next one.
func functionsOf(t *testing.T, vmlinux string) map[string][]uint64 {
	file, err := elf.Open(vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(symbols, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
	functions := map[string][]uint64{}
	for i, symbol := range symbols {
		next := slices.IndexFunc(symbols[i:], func(s elf.Symbol) bool { return s.Value > symbol.Value })
		if next > 0 && int(symbol.Section) < len(file.Sections) && file.Sections[symbol.Section].Flags&elf.SHF_EXECINSTR != 0 {
			key := fmt.Sprintf("%s/%#x", symbol.Name, symbols[i+next].Value-symbol.Value)
			functions[key] = append(functions[key], symbol.Value)
		}
	}
	return functions
}

// addressLines returns what addr2line prints for each address: the lines of inlined functions first,
// separated by blanks.
func addressLines(t *testing.T, vmlinux string, addresses []string) []string {
	list := filepath.Join(t.TempDir(), "addresses")
	harness.WriteFile(t, list, strings.Join(addresses, "\n"))
	output := harness.Must(t, harness.Root, "addr2line", "--inlines", "--addresses", "--exe", vmlinux, "@"+list)
	var all []string
	for line := range strings.Lines(output) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " (discriminator")
		switch {
		case strings.HasPrefix(line, "0x"):
			all = append(all, "")
		case all[len(all)-1] == "":
			all[len(all)-1] = path.Clean(line)
		default:
			all[len(all)-1] += " " + path.Clean(line)
		}
	}
	if len(all) != len(addresses) {
		t.Fatalf("addr2line has printed %d addresses of %d", len(all), len(addresses))
	}
	return all
}
