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

// least is the shortest vm.json that is valid.
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

func TestParseTakesEveryField(t *testing.T) {
	got, err := vmconfig.Parse([]byte(`{
		"name": "demo-2", "machine": "microvm", "accel": "kvm", "qemu": "/q",
		"memoryMiB": 32, "vcpus": 255, "kernel": "/k", "initrd": "/i",
		"kernelParams": ["quiet", "a=b,c"], "sandbox": false, "qemuArgs": ["-s", ""], "vsock": {"cid": 4294967294},
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
		KernelParams: []string{"quiet", "a=b,c"}, QEMUArgs: []string{"-s", ""}, Vsock: &vmconfig.Vsock{CID: 4294967294},
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

// mistakes are texts and every mistake in them, in the order in which they are
// told.
var mistakes = []struct {
	name, text string
	want       []string
}{
	{
		"nothing but braces", `{}`,
		[]string{
			"name: is missing",
			"kernel: is missing (the path of a bzImage)",
		},
	},
	{
		"no consoles", consoles(), []string{"consoles: is empty (at least one console is needed; left out, there are two)"},
	},
	{
		"ports of nobody, of nowhere, and of two",
		`{"name": "m", "kernel": "/k", "ports": {"serial": 0, "console": 4440, "tty": 1}}`,
		[]string{
			"ports.serial: 0 is out of range (1 to 65535)",
			"ports.tty: no console has this name (known: serial, console)",
			"ports.console: 4440 is that of serial too (give each a port of its own)",
		},
	},
	{
		"a default port twice", `{"name": "m", "kernel": "/k", "ports": {"serial": 4441}}`,
		[]string{"ports.console: 4441 is that of serial too (give each a port of its own)"},
	},
	{
		"ports beside consoles",
		`{"ports": {"serial": 1}, ` + consoles(`{"name": "serial", "device": "ttyS0", "port": 2}`)[1:],
		[]string{"ports: are those of consoles that are left out (give each console its port in consoles)"},
	},
	{
		"unknown fields", `{"Name": "m", "kernelparams": [], "memory": 1, "colour": 1, "": 1, "consoles": [{"prt": 1}]}`,
		[]string{
			`"": unknown field (known: accel, checks, consoles, initrd, kernel, kernelParams, machine, memoryMiB, name, ports, qemu, qemuArgs, sandbox, vcpus, vsock)`,
			"Name: unknown field (did you mean name?)",
			"colour: unknown field (known: accel, checks, consoles, initrd, kernel, kernelParams, machine, memoryMiB, name, ports, qemu, qemuArgs, sandbox, vcpus, vsock)",
			"consoles[0].prt: unknown field (did you mean port?)",
			"kernelparams: unknown field (did you mean kernelParams?)",
			"memory: unknown field (did you mean memoryMiB?)",
			"name: is missing",
			"kernel: is missing (the path of a bzImage)",
			`consoles[0].name: "" is no console name (lower-case letters, digits and dashes)`,
			`consoles[0].device: "" is no console device (ttyS0 to ttyS3, hvc0 to hvc7)`,
			"consoles[0].port: 0 is out of range (1 to 65535)",
		},
	},
	{
		"an unknown field, a wrong type and words that no field takes",
		with(`"name": "m", "memory": 1, "vcpus": "0", "machine": "pc", "consoles": [{"name": "A", "device": "hvc0", "port": true}]`),
		[]string{
			"consoles[0].port: want a whole number, got true",
			"memory: unknown field (did you mean memoryMiB?)",
			`vcpus: want a whole number, got the string "0"`,
			`machine: "pc" is unknown (one of auto, q35, microvm)`,
			`consoles[0].name: "A" is no console name (lower-case letters, digits and dashes)`,
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
			`consoles[1].name: "" is no console name (lower-case letters, digits and dashes)`,
			`consoles[1].device: "" is no console device (ttyS0 to ttyS3, hvc0 to hvc7)`,
		},
	},
	{"a number beyond 64 bits", with(`"vcpus": 9223372036854775808`), []string{"vcpus: want a whole number, got the number 9223372036854775808"}},
	{"no object", `[]`, []string{"the file: want an object, got a list"}},
	{
		"fields that stand twice", with(`"name": "m", "consoles": [{"name": "a"}], "consoles": [{"port": 1, "port": 2}], "accel": "tcg"`),
		[]string{"consoles: stands there twice", "consoles[0].port: stands there twice"},
	},
	{
		"words and numbers out of range",
		with(`"name": "Demo", "machine": "pc", "accel": "hax", "memoryMiB": 31, "vcpus": 256`),
		[]string{
			`name: "Demo" is no machine name (lower-case letters, digits and dashes, at most 40)`,
			`machine: "pc" is unknown (one of auto, q35, microvm)`,
			`accel: "hax" is unknown (one of auto, kvm, tcg)`,
			"memoryMiB: 31 is out of range (32 to 1048576)",
			"vcpus: 256 is out of range (1 to 255)",
		},
	},
	{
		"numbers below zero", with(`"memoryMiB": -256, "vcpus": -1`),
		[]string{"memoryMiB: -256 is out of range (32 to 1048576)", "vcpus: -1 is out of range (1 to 255)"},
	},
	{"a vsock without its cid", with(`"vsock": {}`), []string{"vsock.cid: 0 is out of range (3 to 4294967294, another one for each VM of this host)"}},
	{"a vsock with the host's cid", with(`"vsock": {"cid": 2}`), []string{"vsock.cid: 2 is out of range (3 to 4294967294, another one for each VM of this host)"}},
	{
		"a name that leaves the folder", with(`"name": "../m"`),
		[]string{`name: "../m" is no machine name (lower-case letters, digits and dashes, at most 40)`},
	},
	{
		"a name of 41 letters", with(`"name": "` + strings.Repeat("a", vmconfig.MaxName+1) + `"`),
		[]string{`name: "` + strings.Repeat("a", 41) + `" is no machine name (lower-case letters, digits and dashes, at most 40)`},
	},
	{
		"kernel parameters", with(`"kernelParams": ["quiet", "", "console=tty0", "a\nb", "x console=hvc1", "a\u0000b", "\"console=hvc1\"", "a=\""]`),
		[]string{
			`kernelParams[1]: "" is no kernel parameter`,
			`kernelParams[2]: "console=tty0" is made from consoles (change their order there)`,
			`kernelParams[3]: "a\nb" has a blank in it (an entry is one parameter: make each word an entry)`,
			`kernelParams[4]: "x console=hvc1" has a blank in it (an entry is one parameter: make each word an entry)`,
			`kernelParams[5]: "a\x00b" is no kernel parameter`,
			`kernelParams[6]: "\"console=hvc1\"" is made from consoles (change their order there)`,
			`kernelParams[7]: "a=\"" has a quotation mark too many`,
		},
	},
	{
		"a QEMU that would leave", with(`"qemuArgs": ["-device", "virtio-rng-pci", "--daemonize"]`),
		[]string{"qemuArgs: --daemonize: QEMU would leave the process that relays its consoles (leave it out, and put microvm-run in the background)"},
	},
	{
		"consoles that share what they must not",
		consoles(`{"name": "a", "device": "ttyS0", "port": 1}`, `{"name": "a", "device": "ttyS0", "port": 1}`),
		[]string{
			`consoles[1].name: "a" is that of consoles[0] too (give each its own)`,
			`consoles[1].device: "ttyS0" is that of consoles[0] too (give each its own)`,
			"consoles[1].port: 1 is that of consoles[0] too (give each its own)",
		},
	},
	{
		"a console with nothing right", consoles(`{"name": "A b", "device": "ttyUSB0", "port": 65536}`),
		[]string{
			`consoles[0].name: "A b" is no console name (lower-case letters, digits and dashes)`,
			`consoles[0].device: "ttyUSB0" is no console device (ttyS0 to ttyS3, hvc0 to hvc7)`,
			"consoles[0].port: 65536 is out of range (1 to 65535)",
		},
	},
	{
		"a hole in the device numbers",
		consoles(`{"name": "a", "device": "hvc2", "port": 1}`, `{"name": "b", "device": "hvc0", "port": 2}`, `{"name": "c", "device": "ttyS1", "port": 3}`),
		[]string{
			`consoles[0].device: "hvc2" needs a console "hvc1" before it`,
			`consoles[2].device: "ttyS1" needs a console "ttyS0" before it`,
		},
	},
	{
		"a second UART on a microvm",
		`{"machine": "microvm", ` + consoles(`{"name": "a", "device": "ttyS0", "port": 1}`, `{"name": "b", "device": "ttyS1", "port": 2}`)[1:],
		[]string{`consoles[1].device: "ttyS1": a microvm has one UART, ttyS0 (use hvc0 to hvc7, or machine q35)`},
	},
	{"not JSON on line 3", notJSON, []string{"line 3: " + refusal(notJSON)}},
	{"a string that does not end on its line", endless, []string{"line 2: " + refusal(endless)}},
	{"cut off", `{"name": `, []string{"the JSON text ends too early"}},
	{"empty", "", []string{"the JSON text ends too early"}},
	{"a second object behind the first", least + "{}", []string{"more follows the JSON object"}},
	{"a brace too many", least + "\n}\n", []string{"more follows the JSON object"}},
}

// Texts that the JSON parser refuses.
const (
	notJSON = "{\n\"name\": \"m\",\nkernel}"
	endless = "{\n\"name\": \"m\n}"
)

// refusal returns the JSON parser's own words about text, which change with Go.
func refusal(text string) string {
	return json.Unmarshal([]byte(text), new(any)).Error()
}

// with is the least vm.json with more fields, which come before its own.
func with(fields string) string {
	if strings.Contains(fields, `"name"`) {
		return "{" + fields + strings.TrimPrefix(least, `{"name": "m"`)
	}
	return "{" + fields + ", " + least[1:]
}

// consoles is the least vm.json with other consoles.
func consoles(all ...string) string {
	return `{"name": "m", "kernel": "/k", "consoles": [` + strings.Join(all, ", ") + `]}`
}

func TestParseTellsEveryMistake(t *testing.T) {
	for _, test := range mistakes {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(test.text))
			if diff := cmp.Diff(test.want, told(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// told are the mistakes that err tells, one by one.
func told(t *testing.T, err error) []string {
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
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte(with(`"vcpus": -1, "accel": "x"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := vmconfig.Load(path)
	want := []string{
		path + `: accel: "x" is unknown (one of auto, kvm, tcg)`,
		path + ": vcpus: -1 is out of range (1 to 255)",
	}
	if diff := cmp.Diff(want, told(t, err)); diff != "" {
		t.Error(diff)
	}
}
