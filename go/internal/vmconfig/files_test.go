package vmconfig_test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/vmconfig"
)

// bzImage is the beginning of a file that identifies it as a Linux kernel.
var bzImage = strings.Repeat("\x00", 0x202) + "HdrS"

// note returns an ELF file with a note named Xen of a type.
func note(kind uint32) string {
	file := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	text, _ := binary.Append(nil, binary.LittleEndian, file)
	text, _ = binary.Append(text, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: 120, Filesz: 24})
	text, _ = binary.Append(text, binary.LittleEndian, []uint32{4, 8, kind})
	return string(text) + "Xen\x00" + strings.Repeat("\x01", 8)
}

// A file is accepted if QEMU starts it as a kernel, and not if QEMU would start or reject it
// without a clear message.
func TestKernels(t *testing.T) {
	multiboot := "\x02\xb0\xad\x1b\x00\x00\x00\x00\xfe\x4f\x52\xe4"
	path := filepath.Join(t.TempDir(), "kernel")
	for _, test := range []struct {
		name, text string
		kernel     bool
	}{
		{"a bzImage", bzImage + "\x0f\x02" + strings.Repeat("x", 10000), true},
		{"Multiboot", "\x7fELF" + strings.Repeat("\x00", 4096) + multiboot, true},
		{"PVH", note(18), true},
		{"nothing", "", false},
		{"text", strings.Repeat("a line\n", 10000), false},
		{"less than a header", bzImage[:len(bzImage)-1], false},
		{"Multiboot with a wrong sum", multiboot[:8] + "\xfe\x4f\x52\xe5", false},
		{"Multiboot beyond the searched bytes", strings.Repeat("\x00", 8192) + multiboot, false},
		{"ELF with another note", note(17), false},
		{"broken ELF", note(18)[:70], false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := vmconfig.Machine{QEMU: "/bin/sh", Kernel: path}.CheckFiles()
			var want []string
			if !test.kernel {
				want = []string{"kernel: " + path + " is not a kernel (set kernel to the path of a bzImage)"}
			}
			if (err != nil) != (want != nil) {
				t.Fatal(err)
			}
			if err != nil {
				if diff := cmp.Diff(want, messages(t, err)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// QEMU loads only 32-bit ELF files by Multiboot. A bzImage is Linux even with a Multiboot header.
func TestMultiboot(t *testing.T) {
	const multiboot = "\x02\xb0\xad\x1b\x00\x00\x00\x00\xfe\x4f\x52\xe4"
	path := filepath.Join(t.TempDir(), "kernel")
	for _, test := range []struct {
		name, text string
		want       bool
		mistake    string
	}{
		{"32-bit", "\x7fELF\x01" + strings.Repeat("\x00", 4091) + multiboot, true, ""},
		{"plain", multiboot, true, ""},
		{"64-bit", "\x7fELF\x02" + strings.Repeat("\x00", 4091) + multiboot, false, "kernel: " + path + ": QEMU does not load a Multiboot kernel that is a 64-bit ELF file (convert it with objcopy -O elf32-i386)"},
		{"Linux", bzImage + strings.Repeat("\x00", 2) + multiboot, false, ""},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		boot, err := vmconfig.Machine{Kernel: path}.Boot()
		message := ""
		if err != nil {
			message = err.Error()
		}
		if boot.Multiboot != test.want || boot.Linux() == test.want || message != test.mistake {
			t.Errorf("%s: %+v, %v, want %s", test.name, boot, err, test.mistake)
		}
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"kernel": 0o600, "program": 0o700} {
		if err := os.WriteFile(in(name), []byte(bzImage), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	absent := func(name string) string {
		_, err := os.Stat(in(name))
		return err.Error()
	}

	tests := []struct {
		name    string
		machine vmconfig.Machine
		want    []string
	}{
		{"all present", vmconfig.Machine{QEMU: in("program"), Kernel: in("kernel"), Initrd: in("kernel")}, nil},
		{"QEMU in PATH, no initrd", vmconfig.Machine{QEMU: "program", Kernel: in("kernel")}, nil},
		{
			"all missing",
			vmconfig.Machine{QEMU: "qemu", Kernel: in("k"), Initrd: in("i")},
			[]string{
				`qemu: "qemu" not found (install QEMU, or set qemu to the path of the program)`,
				"kernel: " + absent("k") + " (set kernel to the path of a bzImage)",
				"initrd: " + absent("i") + " (set initrd to the path of an initramfs)",
			},
		},
		{
			"a file that is not executable, a directory and a FIFO",
			vmconfig.Machine{QEMU: in("kernel"), Kernel: dir, Initrd: in("fifo")},
			[]string{
				`qemu: "` + in("kernel") + `" not found (install QEMU, or set qemu to the path of the program)`,
				"kernel: " + dir + " is not a regular file (set kernel to the path of a bzImage)",
				"initrd: " + in("fifo") + " is not a regular file (set initrd to the path of an initramfs)",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			if err := test.machine.CheckFiles(); err != nil {
				got = messages(t, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckDevices(t *testing.T) {
	if err := (vmconfig.Machine{}).CheckDevices(); err != nil {
		t.Errorf("a machine without devices: %v", err)
	}
	file, absent := os.OpenFile("/dev/vhost-vsock", os.O_RDWR, 0)
	if absent == nil {
		file.Close()
	}
	err := vmconfig.Machine{Vsock: &vmconfig.Vsock{CID: 3}}.CheckDevices()
	want := fmt.Sprintf("vsock: %v (", absent)
	if (err == nil) != (absent == nil) || err != nil && !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %q… (%v)", err, want, absent)
	}
}
