package vmconfig_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/vmconfig"
)

// least is the shortest valid vm.json.
const least = `{"name": "m", "kernel": "/k"}`

func TestParseFillsInTheDefaults(t *testing.T) {
	got, err := vmconfig.Parse([]byte(least))
	if err != nil {
		t.Fatal(err)
	}
	want := vmconfig.Machine{
		Name: "m", Type: "auto", Accel: "auto", QEMU: "qemu-system-x86_64",
		MemoryMiB: 256, VCPUs: 1, Kernel: "/k", Sandbox: true,
		Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0", Port: 4440}, {Name: "console", Device: "hvc0", Port: 4441}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPortsOfTheDefaultConsoles(t *testing.T) {
	got, err := vmconfig.Parse([]byte(`{"name": "m", "kernel": "/k", "ports": {"console": 4440, "serial": 65535}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []vmconfig.Console{{Name: "serial", Device: "ttyS0", Port: 65535}, {Name: "console", Device: "hvc0", Port: 4440}}
	if diff := cmp.Diff(want, got.Consoles); diff != "" || got.Ports != nil {
		t.Error(diff, got.Ports)
	}
}

func TestParseEveryField(t *testing.T) {
	got, err := vmconfig.Parse([]byte(`{
		"name": "demo-2", "machine": "microvm", "accel": "kvm", "qemu": "/q",
		"memoryMiB": 32, "vcpus": 255, "kernel": "/k", "initrd": "/i",
		"kernelParams": ["quiet", "a=b,c"], "sandbox": false, "qemuArgs": ["-S", ""], "vsock": {"cid": 4294967294}, "gdb": true, "collect": true,
		"network": {"type": "user", "forward": [{"host": 8080, "guest": 80}, {"host": 8080, "guest": 80, "protocol": "udp"}, {"guest": 22}, {"guest": 22}]},
		"consoles": [
			{"name": "b", "device": "hvc1", "port": 65535},
			{"name": "a", "device": "hvc0", "port": 1},
			{"name": "serial", "device": "ttyS0", "port": 2, "login": false}
		],
		"checks": [
			{"name": "kernel", "console": "a", "run": "uname -r", "match": "^6\\.", "status": 3, "timeoutSeconds": 5},
			{"name": "typed", "send": "echo $((6*7))\n", "expect": "42\n"},
			{"name": "printed", "expect": "Linux version"}
		]}`))
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := vmconfig.Machine{
		Name: "demo-2", Type: "microvm", Accel: "kvm", QEMU: "/q",
		MemoryMiB: 32, VCPUs: 255, Kernel: "/k", Initrd: "/i",
		KernelParams: []string{"quiet", "a=b,c"}, QEMUArgs: []string{"-S", ""}, Vsock: &vmconfig.Vsock{CID: 4294967294}, GDB: true, Collect: true,
		Network: &vmconfig.Network{Type: "user", Forward: []vmconfig.Forward{
			{Host: 8080, Guest: 80}, {Host: 8080, Guest: 80, Protocol: "udp"}, {Guest: 22}, {Guest: 22},
		}},
		Consoles: []vmconfig.Console{
			{Name: "b", Device: "hvc1", Port: 65535}, {Name: "a", Device: "hvc0", Port: 1},
			{Name: "serial", Device: "ttyS0", Port: 2, Login: &no},
		},
		Checks: []vmconfig.Check{
			{Name: "kernel", Console: "a", Run: "uname -r", Match: `^6\.`, Status: 3, TimeoutSeconds: 5},
			{Name: "typed", Send: "echo $((6*7))\n", Expect: "42\n"},
			{Name: "printed", Expect: "Linux version"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// mistakes are texts and every mistake in them, in the order in which they are reported.
var mistakes = []struct {
	name, text string
	want       []string
}{
	{
		"an empty object", `{}`,
		[]string{
			"name: is missing",
			"kernel: is missing (set it to the path of a bzImage, or set image)",
		},
	},
	{
		"no consoles", consoles(), []string{"consoles: is empty (add a console, or leave consoles out for the two default ones)"},
	},
	{
		"ports out of range, of an unknown console, and equal",
		`{"name": "m", "kernel": "/k", "ports": {"serial": 0, "console": 4440, "cnosole": 1, "tty": 1}}`,
		[]string{
			"ports.cnosole: unknown console (did you mean console?)",
			"ports.serial: 0 is out of range (1 to 65535)",
			"ports.tty: unknown console (known: serial, console)",
			"ports.console: 4440 is also the port of serial (ports must differ)",
		},
	},
	{
		"a default port twice", `{"name": "m", "kernel": "/k", "ports": {"serial": 4441}}`,
		[]string{"ports.console: 4441 is also the port of serial (ports must differ)"},
	},
	{
		"ports beside consoles",
		`{"ports": {"serial": 1}, ` + consoles(`{"name": "serial", "device": "ttyS0", "port": 2}`)[1:],
		[]string{"ports: cannot be combined with consoles (give each console its port there)"},
	},
	{
		"unknown fields", `{"Name": "m", "kernelparams": [], "memory": 1, "memoryMB": 1, "color": 1, "": 1, "consoles": [{"prt": 1}]}`,
		[]string{
			`"": unknown field (known: accel, arch, checks, collect, consoles, disks, exactness, gdb, image, initrd, kernel, kernelLog, kernelParams, machine, memoryMiB, modulesDir, name, network, ports, qemu, qemuArgs, sandbox, shares, vcpus, vsock)`,
			"Name: unknown field (did you mean name?)",
			"color: unknown field (known: accel, arch, checks, collect, consoles, disks, exactness, gdb, image, initrd, kernel, kernelLog, kernelParams, machine, memoryMiB, modulesDir, name, network, ports, qemu, qemuArgs, sandbox, shares, vcpus, vsock)",
			"consoles[0].prt: unknown field (did you mean port?)",
			"kernelparams: unknown field (did you mean kernelParams?)",
			"memory: unknown field (did you mean memoryMiB?)",
			"memoryMB: unknown field (did you mean memoryMiB?)",
			"name: is missing",
			"kernel: is missing (set it to the path of a bzImage, or set image)",
			`consoles[0].name: invalid name "": want lower-case letters, digits and dashes, at most 40`,
			`consoles[0].device: unknown device "": want ttyS0 to ttyS3, hvc0 to hvc7, or debugcon`,
			"consoles[0].port: 0 is out of range (1 to 65535)",
		},
	},
	{
		"an unknown field, wrong types and unknown values",
		with(`"name": "m", "memory": 1, "vcpus": "0", "machine": "pc", "consoles": [{"name": "A", "device": "hvc0", "port": true}]`),
		[]string{
			"consoles[0].port: want a whole number, got true",
			"memory: unknown field (did you mean memoryMiB?)",
			`vcpus: want a whole number, got the string "0"`,
			`machine: unknown machine type "pc" (choose auto, q35, microvm)`,
			`consoles[0].name: invalid name "A": want lower-case letters, digits and dashes, at most 40`,
		},
	},
	{
		"wrong types",
		`{"name": 1, "kernel": null, "vcpus": "2", "memoryMiB": 1.5, "qemuArgs": "-s", "kernelParams": [true], "consoles": [[], {"port": {}}]}`,
		[]string{
			"consoles[0]: want an object, got a list",
			"consoles[1].port: want a whole number, got an object",
			"kernel: want a string, got null",
			"kernelParams[0]: want a string, got true",
			"memoryMiB: want a whole number, got the number 1.5",
			"name: want a string, got the number 1",
			`qemuArgs: want a list, got the string "-s"`,
			`vcpus: want a whole number, got the string "2"`,
			`consoles[1].name: invalid name "": want lower-case letters, digits and dashes, at most 40`,
			`consoles[1].device: unknown device "": want ttyS0 to ttyS3, hvc0 to hvc7, or debugcon`,
		},
	},
	{"a number beyond 64 bits", with(`"vcpus": 9223372036854775808`), []string{"vcpus: want a whole number, got the number 9223372036854775808"}},
	{"not an object", `[]`, []string{"the file: want an object, got a list"}},
	{
		"fields that are listed twice", with(`"name": "m", "consoles": [{"name": "a"}], "consoles": [{"port": 1, "port": 2}], "accel": "tcg"`),
		[]string{"consoles: is listed twice", "consoles[0].port: is listed twice"},
	},
	{
		"words and numbers out of range",
		with(`"name": "Demo", "machine": "pc", "accel": "hax", "memoryMiB": 31, "vcpus": 256`),
		[]string{
			`name: invalid name "Demo": want lower-case letters, digits and dashes, at most 40`,
			`machine: unknown machine type "pc" (choose auto, q35, microvm)`,
			`accel: unknown accelerator "hax" (choose auto, kvm, tcg)`,
			"memoryMiB: 31 is out of range (32 to 1048576)",
			"vcpus: 256 is out of range (1 to 255)",
		},
	},
	{
		"numbers below zero", with(`"memoryMiB": -256, "vcpus": -1`),
		[]string{"memoryMiB: -256 is out of range (32 to 1048576)", "vcpus: -1 is out of range (1 to 255)"},
	},
	{"a vsock without its cid", with(`"vsock": {}`), []string{"vsock.cid: 0 is out of range (3 to 4294967294, different for each VM of this host)"}},
	{"a vsock with the host's cid", with(`"vsock": {"cid": 2}`), []string{"vsock.cid: 2 is out of range (3 to 4294967294, different for each VM of this host)"}},
	{
		"a name that leaves the folder", with(`"name": "../m"`),
		[]string{`name: invalid name "../m": want lower-case letters, digits and dashes, at most 40`},
	},
	{
		"a name of 41 letters", with(`"name": "` + strings.Repeat("a", vmconfig.MaxName+1) + `"`),
		[]string{`name: invalid name "` + strings.Repeat("a", 41) + `": want lower-case letters, digits and dashes, at most 40`},
	},
	{
		"kernel parameters", with(`"kernelParams": ["quiet", "", "console=tty0", "a\nb", "x console=hvc1", "a\u0000b", "\"console=hvc1\"", "a=\"", "a=\"b c", "a=\"b\" c=\"d\"", "a=\"b\nc\"", "dyndbg=\"file drivers/base/* +p\""]`),
		[]string{
			`kernelParams[1]: invalid kernel parameter ""`,
			`kernelParams[2]: "console=tty0" follows from consoles (change their order there)`,
			`kernelParams[3]: "a\nb" contains white space (write each parameter as an entry of its own, and a value with blanks in double quotes)`,
			`kernelParams[4]: "x console=hvc1" contains white space (write each parameter as an entry of its own, and a value with blanks in double quotes)`,
			`kernelParams[5]: invalid kernel parameter "a\x00b"`,
			`kernelParams[6]: "\"console=hvc1\"" follows from consoles (change their order there)`,
			`kernelParams[7]: "a=\"" has an unbalanced quotation mark`,
			`kernelParams[8]: "a=\"b c" has an unbalanced quotation mark`,
			`kernelParams[9]: "a=\"b\" c=\"d\"" contains white space (write each parameter as an entry of its own, and a value with blanks in double quotes)`,
			`kernelParams[10]: "a=\"b\nc\"" contains white space (write each parameter as an entry of its own, and a value with blanks in double quotes)`,
		},
	},
	{
		"a QEMU in the background", with(`"qemuArgs": ["-device", "virtio-rng-pci", "--daemonize"]`),
		[]string{"qemuArgs: --daemonize: QEMU must stay a child of the process that relays its consoles (remove the argument, and run microvm-run in the background)"},
	},
	{"collect and an action of QEMU", with(`"collect": true, "qemuArgs": ["--no-reboot"]`), []string{`qemuArgs: --no-reboot: "collect": true decides what QEMU does at a panic, a restart and a power-off (remove one of the two)`}},
	{"a console with the name of the bundles", `{"name": "m", "kernel": "k", "consoles": [{"name": "crashes", "device": "ttyS0", "port": 1}]}`, []string{`consoles[0].name: "crashes" is the folder of crash bundles (choose another name)`}},
	{"gdb on QEMU's port", with(`"qemuArgs": ["-S", "-s"]`), []string{"qemuArgs: -s: " + gdbPort}},
	{"gdb on a port", with(`"qemuArgs": ["--gdb", "tcp::1234,server"]`), []string{"qemuArgs: --gdb tcp::1234,server: " + gdbPort}},
	{"a network without its type", with(`"network": {}`), []string{"network.type: is missing (choose none or user)"}},
	{"an unknown network", with(`"network": {"type": "usr"}`), []string{`network.type: unknown network "usr" (did you mean user?)`}},
	{"a network of QEMU's", with(`"network": {"type": "tap"}`), []string{`network.type: unknown network "tap" (known: none, user; for another one, use qemuArgs)`}},
	{
		"a forward without a network", with(`"network": {"type": "none", "forward": [{"host": 1, "guest": 1}]}`),
		[]string{`network.forward: needs a network (set network.type to "user")`},
	},
	{
		"forwards out of range and with unknown words", forwards(`{"host": -1}`, `{"host": 65536, "guest": 65536, "protocol": "udo"}`, `{"gest": 1, "guest": 1, "protocol": "sctp"}`),
		[]string{
			"network.forward[2].gest: unknown field (did you mean guest?)",
			"network.forward[0].host: -1 is out of range (1 to 65535, or 0 for a free port)",
			"network.forward[0].guest: 0 is out of range (1 to 65535)",
			"network.forward[1].host: 65536 is out of range (1 to 65535, or 0 for a free port)",
			"network.forward[1].guest: 65536 is out of range (1 to 65535)",
			`network.forward[1].protocol: unknown protocol "udo" (did you mean udp?)`,
			`network.forward[2].protocol: unknown protocol "sctp" (known: tcp, udp)`,
		},
	},
	{
		"forwards from the same port, and from a console's", forwards(`{"host": 80, "guest": 80}`, `{"host": 80, "guest": 81, "protocol": "tcp"}`, `{"host": 4440, "guest": 82}`, `{"host": 4441, "guest": 82, "protocol": "udp"}`),
		[]string{
			"network.forward[1].host: 80 is also the port of network.forward[0] (choose another port, or 0 for a free one)",
			"network.forward[2].host: 4440 is also the port of consoles[0] (choose another port, or 0 for a free one)",
		},
	},
	{
		"consoles with the same name, device and port",
		consoles(`{"name": "a", "device": "ttyS0", "port": 1}`, `{"name": "a", "device": "ttyS0", "port": 1}`),
		[]string{
			`consoles[1].name: "a" is also the name of consoles[0] (names must differ)`,
			`consoles[1].device: "ttyS0" is also the device of consoles[0] (devices must differ)`,
			"consoles[1].port: 1 is also the port of consoles[0] (ports must differ)",
		},
	},
	{
		"a console with a wrong name, device and port", consoles(`{"name": "A b", "device": "ttyUSB0", "port": 65536}`),
		[]string{
			`consoles[0].name: invalid name "A b": want lower-case letters, digits and dashes, at most 40`,
			`consoles[0].device: unknown device "ttyUSB0": want ttyS0 to ttyS3, hvc0 to hvc7, or debugcon`,
			"consoles[0].port: 65536 is out of range (1 to 65535)",
		},
	},
	{
		"a gap in the device numbers",
		consoles(`{"name": "a", "device": "hvc2", "port": 1}`, `{"name": "b", "device": "hvc0", "port": 2}`, `{"name": "c", "device": "ttyS1", "port": 3}`),
		[]string{
			`consoles[0].device: "hvc2" needs another console with device "hvc1"`,
			`consoles[2].device: "ttyS1" needs another console with device "ttyS0"`,
		},
	},
	{
		"a second UART on a microvm",
		`{"machine": "microvm", ` + consoles(`{"name": "a", "device": "ttyS0", "port": 1}`, `{"name": "b", "device": "ttyS1", "port": 2}`)[1:],
		[]string{`consoles[1].device: "ttyS1": a microvm has only the UART ttyS0 (use hvc0 to hvc7, or machine q35)`},
	},
	{"not JSON on line 3", notJSON, []string{"line 3: " + refusal(notJSON)}},
	{"a string that does not end on its line", endless, []string{"line 2: " + refusal(endless)}},
	{"cut off", `{"name": `, []string{"unexpected end of the JSON text"}},
	{"empty", "", []string{"unexpected end of the JSON text"}},
	{"a second object after the first", least + "{}", []string{"text follows the JSON object"}},
	{"an extra brace", least + "\n}\n", []string{"text follows the JSON object"}},
}

// Texts that are not JSON.
const (
	notJSON = "{\n\"name\": \"m\",\nkernel}"
	endless = "{\n\"name\": \"m\n}"
)

// refusal returns the JSON parser's error for text, which changes with the version of Go.
func refusal(text string) string {
	return json.Unmarshal([]byte(text), new(any)).Error()
}

// with returns the least vm.json with more fields before its own.
func with(fields string) string {
	if strings.Contains(fields, `"name"`) {
		return "{" + fields + strings.TrimPrefix(least, `{"name": "m"`)
	}
	return "{" + fields + ", " + least[1:]
}

// gdbPort is why gdb on a port is refused.
const gdbPort = `every client of this port could run commands on this host (use --gdb, or "gdb": true in vm.json: a Unix socket)`

// forwards returns the least vm.json with forwarded ports.
func forwards(all ...string) string {
	return with(`"network": {"type": "user", "forward": [` + strings.Join(all, ", ") + `]}`)
}

// consoles returns the least vm.json with other consoles.
func consoles(all ...string) string {
	return `{"name": "m", "kernel": "/k", "consoles": [` + strings.Join(all, ", ") + `]}`
}

func TestParseReportsEveryMistake(t *testing.T) {
	for _, test := range mistakes {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(test.text))
			if diff := cmp.Diff(test.want, messages(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// messages returns the mistakes in err.
func messages(t *testing.T, err error) []string {
	t.Helper()
	var many *multierror.Error
	if !errors.As(err, &many) {
		t.Fatalf("want a *multierror.Error, got %v", err)
	}
	var lines []string
	for _, one := range many.Errors {
		lines = append(lines, one.Error())
	}
	return lines
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm.json")
	if _, err := vmconfig.Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte(with(`"vcpus": -1, "accel": "x"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := vmconfig.Load(path)
	want := []string{
		path + `: accel: unknown accelerator "x" (choose auto, kvm, tcg)`,
		path + ": vcpus: -1 is out of range (1 to 255)",
	}
	if diff := cmp.Diff(want, messages(t, err)); diff != "" {
		t.Error(diff)
	}
}
