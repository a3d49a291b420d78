package hostroot

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/guestinit"
	"microvm-console/internal/testsupport/initrdtest"
	"microvm-console/internal/vmconfig"
)

func TestDefaultIsValid(t *testing.T) {
	m, err := Default("/boot/kernel")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	if m.Name != "host-root" || m.Kernel != "/boot/kernel" || len(m.Consoles) != 1 {
		t.Errorf("got %+v", m)
	}
}

func TestHostKernel(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	if got, err := hostKernel([]string{first, second}); err == nil {
		t.Errorf("got %q without a kernel", got)
	} else if want := "the host's kernel: none of " + first + ", " + second + " exists (choose a kernel with --kernel)"; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	initrdtest.Write(t, second, nil)
	if got, err := hostKernel([]string{first, second}); err != nil || got != second {
		t.Errorf("got %q, %v", got, err)
	}
}

// The paths of directories are made absolute, since the guest mounts them at the same paths.
func TestWritableDirectories(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	initrdtest.Write(t, filepath.Join(dir, "real", "file"), nil)
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{".": dir, "real": dir + "/real", "link": dir + "/real", dir + "/real/": dir + "/real"} {
		got, err := shares([]string{given}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Source != "/" || got[0].Writable() || got[1].Source != want || !got[1].Writable() {
			t.Errorf("%s: got %+v, want %s", given, got, want)
		}
	}
	for _, given := range []string{"absent", "real/file", "/"} {
		if _, err := shares([]string{given}, dir); err == nil || !strings.HasPrefix(err.Error(), "--writable "+given+": ") {
			t.Errorf("%s: got %v", given, err)
		}
	}
}

// kernelModules are the lines of modules.dep of a kernel with all that a guest needs.
var kernelModules = append([]string{
	"kernel/overlay.ko:", "kernel/9p.ko: kernel/9pnet.ko", "kernel/9pnet.ko:",
	"kernel/9pnet_virtio.ko: kernel/9pnet.ko kernel/virtio.ko kernel/virtio_ring.ko",
	"kernel/virtiofs.ko: kernel/fuse.ko kernel/virtio.ko kernel/virtio_ring.ko", "kernel/fuse.ko:",
}, initrdtest.Virtio...)

// initramfs returns the spec in the initramfs of a guest, and the names of its entries.
func initramfs(t *testing.T, g *Guest, m vmconfig.Machine, machineType string) (spec guestinit.Spec, names []string) {
	t.Helper()
	entries, err := g.entries(m, machineType)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Path)
		if "/"+e.Path == guestinit.SpecFile {
			if err := json.Unmarshal(e.Data, &spec); err != nil {
				t.Fatal(err)
			}
			if e.Mode != 0o600 {
				t.Errorf("the environment is readable for others: %v", e.Mode)
			}
		}
	}
	return spec, names
}

func guest(t *testing.T) (*Guest, vmconfig.Machine) {
	t.Helper()
	dir := t.TempDir()
	agent := filepath.Join(dir, "agent")
	initrdtest.Write(t, agent, initrdtest.Program("agent", false))
	writable := false
	m := vmconfig.Machine{
		Name: "vm", ModulesDir: initrdtest.Modules(t, filepath.Join(dir, "modules"), kernelModules...),
		Consoles: vmconfig.DefaultConsoles(vmconfig.Machine{}.Architecture()),
		Shares:   []vmconfig.Share{{Source: "/", Driver: "9p"}, {Source: "/a b", ReadOnly: &writable, Driver: "9p"}},
	}
	return &Guest{dir: "/a b/c", shell: true, agent: agent}, m
}

func TestSpec(t *testing.T) {
	for _, name := range []string{"TMPDIR", "XDG_RUNTIME_DIR", "SHELL"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOST_ROOT_TEST", "any\xff\nbytes")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	g, m := guest(t)
	t.Setenv("TMPDIR", "/dev/shm/tmp")
	spec, names := initramfs(t, g, m, "q35")
	env := map[string]bool{}
	for _, variable := range spec.Env {
		env[string(variable)] = true
	}
	if !env["HOST_ROOT_TEST=any\xff\nbytes"] {
		t.Errorf("the environment is %q", spec.Env)
	}
	spec.Env = nil
	modules := []string{"virtio_ring.ko", "virtio.ko", "virtio_pci_modern_dev.ko", "virtio_pci.ko", "virtio_console.ko", "overlay.ko", "9pnet.ko", "9pnet_virtio.ko", "9p.ko"}
	want := guestinit.Spec{
		Root: guestinit.Share{Tag: "share0", FS: "9p", Options: p9Options, Target: "/"},
		Shares: []guestinit.Share{
			{Tag: "share1", FS: "9p", Options: p9WritableOptions, Target: "/a b"},
		},
		Visible: []string{"/a b/c", "/dev/shm/tmp"}, Hostname: "vm", Dir: "/a b/c", RuntimeDir: "/run/user/1000",
		Shell: "/bin/sh", Terminal: "ttyS0",
	}
	wantNames := []string{"init", "host-root.json", "modules"}
	for _, module := range modules {
		want.Modules = append(want.Modules, "/modules/"+module)
		wantNames = append(wantNames, "modules/"+module)
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Error(diff)
	}
}

// The transport depends on the machine type, and the file system on the driver.
func TestDriversOfAMicrovmWithVirtiofs(t *testing.T) {
	g, m := guest(t)
	m.Shares = []vmconfig.Share{{Source: "/", Driver: "virtiofs"}}
	spec, _ := initramfs(t, g, m, "microvm")
	got := strings.Join(spec.Modules, " ")
	want := "/modules/virtio_ring.ko /modules/virtio.ko /modules/virtio_mmio.ko /modules/virtio_console.ko /modules/overlay.ko /modules/fuse.ko /modules/virtiofs.ko"
	if got != want || spec.Root.FS != "virtiofs" || spec.Root.Options != "" {
		t.Errorf("got %s, want %s; root %+v", got, want, spec.Root)
	}
}

// A kernel without tables of modules has its drivers built in.
func TestKernelWithoutModules(t *testing.T) {
	g, m := guest(t)
	m.ModulesDir, m.Kernel = "", "/no/kernel"
	if spec, _ := initramfs(t, g, m, "q35"); spec.Modules != nil {
		t.Errorf("got %q", spec.Modules)
	}
	chosen, err := chooseDrivers(vmconfig.Machine{Kernel: "/no/kernel", Shares: []vmconfig.Share{{Source: "/"}}})
	if err != nil || chosen.Shares[0].Driver != "9p" {
		t.Errorf("got %+v, %v", chosen.Shares, err)
	}
}
