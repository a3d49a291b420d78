package qemu_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/qemu"
	"microvm-console/internal/vmconfig"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares the arguments for testdata/NAME.json with testdata/NAME.golden, which has
// one per line.
func TestGolden(t *testing.T) {
	tests := []struct {
		name   string
		accel  string
		tscKHz int
		boot   vmconfig.Boot
	}{
		{"q35-tcg", "tcg", 0, vmconfig.Boot{}},
		{"microvm-tcg", "tcg", 2_500_000, vmconfig.Boot{}},
		{"microvm-kvm", "kvm", 0, vmconfig.Boot{}},
		{"many-consoles", "tcg", 0, vmconfig.Boot{}},
		{"hvc0-only", "kvm", 0, vmconfig.Boot{}},
		{"no-initrd", "tcg", 0, vmconfig.Boot{}},
		{"extra-arguments", "tcg", 0, vmconfig.Boot{}},
		{"serial-only", "tcg", 0, vmconfig.Boot{}},
		{"network-q35", "tcg", 0, vmconfig.Boot{}},
		{"network-microvm", "kvm", 0, vmconfig.Boot{}},
		{"network-none", "tcg", 0, vmconfig.Boot{}},
		{"vsock-q35", "tcg", 0, vmconfig.Boot{}},
		{"vsock-microvm", "kvm", 0, vmconfig.Boot{}},
		{"collect", "tcg", 0, vmconfig.Boot{}},
		{"disks", "tcg", 0, vmconfig.Boot{}},
		{"disks-microvm", "kvm", 0, vmconfig.Boot{}},
		{"shares-q35", "tcg", 0, vmconfig.Boot{}},
		{"shares-microvm", "kvm", 0, vmconfig.Boot{}},
		{"aarch64-tcg", "tcg", 0, vmconfig.Boot{}},
		{"aarch64-kvm", "kvm", 0, vmconfig.Boot{}},
		{"multiboot", "tcg", 0, vmconfig.Boot{Multiboot: true}},
		{"multiboot-without-parameters", "tcg", 0, vmconfig.Boot{Multiboot: true}},
		{"image-floppy", "tcg", 0, vmconfig.Boot{Format: "raw", Interface: "floppy"}},
		{"image-snapshot", "kvm", 0, vmconfig.Boot{Format: "qcow2", Interface: "virtio"}},
		{"image-sata", "tcg", 0, vmconfig.Boot{Format: "raw", Interface: "sata"}},
		{"image-cd-uefi", "tcg", 0, vmconfig.Boot{Format: "raw", Interface: "cd"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := load(t, test.name)
			host := qemu.Host{
				Accel: test.accel, Type: qemu.Type(m, test.boot, test.accel), Boot: test.boot, TSCKHz: test.tscKHz,
				OwnDisk: ownDisk, ShareSocket: shareSocket,
			}
			golden(t, test.name, qemu.Args(m, host))
		})
	}
}

func ownDisk(disk vmconfig.Disk) string { return "/state/" + disk.Name + ".raw" }

func shareSocket(tag string) string { return "/run/a,b/" + tag + ".sock" }

// Some arguments depend on the features of QEMU and on vm.json.
func TestFeaturesOfQEMU(t *testing.T) {
	m := load(t, "q35-tcg")
	args := func(sandbox bool, features qemu.Features) string {
		m.Sandbox = sandbox
		host := qemu.Host{Accel: "tcg", Type: "q35", Features: features}
		return strings.Join(slices.Concat(qemu.Args(m, host), qemu.Bound(host)), "\n")
	}
	able := qemu.Features{Sandbox: true, ExitWithParent: true}
	const sandbox = "\n-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
	for _, test := range []struct {
		name             string
		args             string
		sandboxed, bound bool
	}{
		{"all features", args(true, able), true, true},
		{"no features", args(true, qemu.Features{}), false, false},
		{"sandbox is false", args(false, able), false, true},
	} {
		if strings.Contains(test.args, sandbox) != test.sandboxed || strings.Contains(test.args, "\n-run-with\nexit-with-parent=on") != test.bound {
			t.Errorf("%s: the arguments are\n%s", test.name, test.args)
		}
	}
}

// load reads testdata/NAME.json.
func load(t *testing.T, name string) vmconfig.Machine {
	t.Helper()
	m, err := vmconfig.Load(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// golden compares args with testdata/NAME.golden, or rewrites the file with -update.
func golden(t *testing.T, name string, args []string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	got := strings.Join(args, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with go test ./internal/qemu -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// A microvm has the arguments that the document of the console demo shows, in this order.
func TestMicrovmHasTheDocumentedArguments(t *testing.T) {
	const documented = `
-chardev socket,id=serial0,host=localhost,port=4440,server=on,wait=off
-serial chardev:serial0
-device virtio-serial-device
-chardev socket,id=virtcon0,host=localhost,port=4441,server=on,wait=off
-device virtconsole,chardev=virtcon0
`
	m := load(t, "microvm-tcg")
	for _, accel := range []string{"tcg", "kvm"} {
		args := " " + strings.Join(qemu.Args(m, qemu.Host{Accel: accel, Type: "microvm"}), " ") + " "
		if want := strings.ReplaceAll(documented, "\n", " "); !strings.Contains(args, want) {
			t.Errorf("%s:\n%s\nare not in\n%s", accel, want, args)
		}
		if want := "-append console=ttyS0,115200 console=hvc0 "; !strings.Contains(args, want) {
			t.Errorf("%s: the kernel command line does not begin with the consoles: %s", accel, args)
		}
	}
}

func TestTSCRateOfAMicrovmUnderTCG(t *testing.T) {
	m := load(t, "microvm-tcg")
	tests := []struct {
		name string
		host qemu.Host
		want bool
	}{
		{"microvm under TCG", qemu.Host{Accel: "tcg", Type: "microvm", TSCKHz: 1234}, true},
		{"rate unknown", qemu.Host{Accel: "tcg", Type: "microvm"}, false},
		{"q35 under TCG", qemu.Host{Accel: "tcg", Type: "q35", TSCKHz: 1234}, false},
		{"microvm under KVM", qemu.Host{Accel: "kvm", Type: "microvm", TSCKHz: 1234}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			params := qemu.KernelParams(m, test.host)
			if got := slices.Contains(params, "tsc_early_khz=1234"); got != test.want {
				t.Errorf("in %q: %t, want %t", params, got, test.want)
			}
		})
	}
}

func TestType(t *testing.T) {
	one := []vmconfig.Console{{Device: "ttyS0"}, {Device: "hvc0"}, {Device: "hvc1"}}
	linux, image := vmconfig.Boot{}, vmconfig.Boot{Format: "raw", Interface: "virtio"}
	two := []vmconfig.Console{{Device: "ttyS0"}, {Device: "hvc0"}, {Device: "ttyS1"}}
	tests := []struct {
		name, asked, accel string
		boot               vmconfig.Boot
		consoles           []vmconfig.Console
		want               string
	}{
		{"auto under TCG", "auto", "tcg", linux, one, "q35"},
		{"auto under KVM", "auto", "kvm", linux, one, "microvm"},
		{"auto under KVM with two UARTs", "auto", "kvm", linux, two, "q35"},
		{"auto under KVM with an image", "auto", "kvm", image, one, "q35"},
		{"auto under KVM with Multiboot", "auto", "kvm", vmconfig.Boot{Multiboot: true}, one, "q35"},
		{"microvm under TCG", "microvm", "tcg", linux, one, "microvm"},
		{"microvm with Multiboot", "microvm", "tcg", vmconfig.Boot{Multiboot: true}, one, "microvm"},
		{"q35 under KVM", "q35", "kvm", linux, one, "q35"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := vmconfig.Machine{Type: test.asked, Consoles: test.consoles}
			if got := qemu.Type(m, test.boot, test.accel); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestControlIsGolden(t *testing.T) {
	golden(t, "control-collect", qemu.Control(load(t, "collect"), 3, nil))
	golden(t, "control", qemu.Control(load(t, "many-consoles"), 3, []int{4, 5, 6, 7}))
}

// Control only changes chardevs that Args defines.
func TestControlChangesChardevsOfArgs(t *testing.T) {
	m := load(t, "many-consoles")
	args := strings.Join(qemu.Args(m, qemu.Host{Accel: "tcg", Type: "q35"}), "\n")
	for _, arg := range qemu.Control(m, 3, []int{4, 5, 6, 7}) {
		option, ok := strings.CutPrefix(arg, "chardev.")
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(option, ".")
		if !strings.Contains(args, "\nsocket,id="+id+",") {
			t.Errorf("%s: Args has no chardev %q", arg, id)
		}
	}
}

func TestAgentIsGolden(t *testing.T) {
	golden(t, "agent", qemu.Agent(load(t, "microvm-tcg"), qemu.Host{Accel: "tcg", Type: "microvm"}, 4))
	golden(t, "agent-without-virtconsole", qemu.Agent(load(t, "serial-only"), qemu.Host{Accel: "tcg", Type: "q35"}, 4))
}

func TestHasAgent(t *testing.T) {
	for text, want := range map[string]bool{
		"": false,
		"-device virtserialport,chardev=c,name=org.example.0":                 false,
		"-device virtserialport,chardev=c,name=org.qemu.guest_agent.0":        true,
		`-device {"driver":"virtserialport","name":"org.qemu.guest_agent.0"}`: true,
	} {
		if got := qemu.HasAgent(strings.Fields(text)); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestProbeArgsIsGolden(t *testing.T) {
	golden(t, "probe-microvm", qemu.ProbeArgs("/opt/qemu", "/boot/vmlinuz", "microvm"))
	golden(t, "probe-virt", qemu.ProbeArgs("/opt/qemu", "/boot/vmlinuz", "virt"))
	golden(t, "probe-q35", qemu.ProbeArgs("/opt/qemu", "/boot/vmlinuz", "q35"))
}
