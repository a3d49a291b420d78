package relay

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// bootSector assembles examples/boot-sector and returns QEMU's arguments to boot it. It prints
// numbered lines; then it halts if halt is set, or else waits for a q.
func bootSector(t *testing.T, lines int, halt bool) []string {
	t.Helper()
	if _, err := exec.LookPath("as"); err != nil {
		harness.Skip(t, "as", "install binutils")
	}
	dir := t.TempDir()
	object, image := filepath.Join(dir, "boot.o"), filepath.Join(dir, "boot.img")
	args := []string{"--32", "--defsym", fmt.Sprintf("LINES=%d", lines), "-o", object}
	if halt {
		args = append(args, "--defsym", "HALT=1")
	}
	harness.Must(t, harness.Root, "as", append(args, "examples/boot-sector/boot.s")...)
	harness.Must(t, harness.Root, "ld", "-m", "elf_i386", "-Ttext=0x7c00", "--oformat=binary", "-o", image, object)
	return []string{"-drive", "format=raw,if=floppy,file=" + image}
}

// checkLines compares the output of several boots of the boot sector with the numbered lines
// that it should print.
func checkLines(text string, lines, boots int) error {
	var one strings.Builder
	for n := range lines {
		fmt.Fprintf(&one, "line %d\r\n", n)
	}
	want := strings.Repeat(one.String(), boots)
	if text == want {
		return nil
	}
	count, strange := make([]int, lines), ""
	for line := range strings.Lines(text) {
		number, begun := strings.CutPrefix(line, "line ")
		number, ended := strings.CutSuffix(number, "\r\n")
		n, err := strconv.Atoi(number)
		if !begun || !ended || err != nil || n < 0 || n >= lines {
			strange = fmt.Sprintf(", and %q", line)
			continue
		}
		count[n]++
	}
	missing, repeated := 0, 0
	for _, n := range count {
		missing += max(0, boots-n)
		repeated += max(0, n-boots)
	}
	return fmt.Errorf("%d bytes, want %d: %d times lines 0 to %d: missing %d, repeated %d%s",
		len(text), len(want), boots, lines-1, missing, repeated, strange)
}

// TestBootSector checks the boot sector with QEMU alone, as the other tests rely on it.
func TestBootSector(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := append(bootSector(t, 20000, true), "-display", "none", "-monitor", "none",
		"-serial", "file:"+filepath.Join(dir, "serial"), "-debugcon", "file:"+filepath.Join(dir, "debugcon"))
	if status := harness.Start(t, "qemu-system-x86_64", args...).Status(); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, channel := range []string{"serial", "debugcon"} {
		text, err := os.ReadFile(filepath.Join(dir, channel))
		if err == nil {
			err = checkLines(string(text), 20000, 1)
		}
		if err != nil {
			t.Errorf("%s: %v", channel, err)
		}
	}
}

func TestBootSectorAnswersKeys(t *testing.T) {
	t.Parallel()
	args := append(bootSector(t, 3, false), "-display", "none", "-monitor", "none", "-serial", "stdio")
	vm := harness.Start(t, "qemu-system-x86_64", args...)
	vm.Expect(`line 2\r\n`, 1)
	vm.Send("x")
	vm.Expect(`key x\r\n`, 1)
	vm.Send("q")
	if status := vm.Status(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestCheckLines tests checkLines.
func TestCheckLines(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"line 0\r\nline 1\r\nline 0\r\nline 1\r\n":           "",
		"line 0\r\nline 1\r\nline 0\r\n":                     "missing 1, repeated 0",
		"line 0\r\nline 1\r\nline 1\r\nline 0\r\nline 1\r\n": "missing 0, repeated 1",
		"line 0\r\nline 0\r\nline 1\r\nline 1\r\n":           "missing 0, repeated 0",
		"line 0\r\nline 1\r\nline 0\r\nlin":                  `missing 1, repeated 0, and "lin"`,
		"line 0\r\nline 1\r\nline 0\r\nline 1\r\nline 2\r\n": `repeated 0, and "line 2\r\n"`,
	}
	for text, want := range tests {
		err := checkLines(text, 2, 2)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestRelayedKnowsTheOptionsOfThisQEMU checks that the list of options without a value in
// qemu.Relayed is complete for this QEMU. The list distinguishes options from values.
func TestRelayedKnowsTheOptionsOfThisQEMU(t *testing.T) {
	t.Parallel()
	source := harness.ReadFile(t, filepath.Join(harness.Root, "go/internal/qemu/options.go"))
	// One space separates an option from its value, several spaces from its description.
	option := regexp.MustCompile(`(?m)^--?([A-Za-z0-9-]+)(?: or -([a-z]+))?(?:$|\s{2,}\S+ \S)`)
	found := 0
	for _, match := range option.FindAllStringSubmatch(harness.Must(t, harness.Root, "qemu-system-x86_64", "-help"), -1) {
		for _, name := range match[1:] {
			if name == "" || strings.HasSuffix(match[0], " as -") { // another name of the option that follows
				continue
			}
			found++
			if !strings.Contains(source, strconv.Quote(name)) {
				t.Errorf("%q: -%s is not among the options without a value", match[0], name)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d options found", found)
	}
}
