package systemd_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/systemd"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// odd is a path with all characters that have a meaning for systemd.
const odd = `/etc/a b/50%/$HOME/"q"\n'` + "\t\u00e9.json"

func TestUnitText(t *testing.T) {
	const program = "/nix/store/eeee-microvm-console-0.1/bin/qemu-relay"
	const run = "/nix/store/eeee-microvm-console-0.1/bin/microvm-run"
	args := []string{"--config", "/nix/store/ffff-vm.json"}
	tests := map[string]systemd.Unit{
		"plain":  systemd.Relay{Channel: "serial", Program: program}.Unit(),
		"config": systemd.Relay{Channel: "debugcon", Program: program, Config: "/nix/store/ffff-config.json"}.Unit(),
		"quoted": systemd.Relay{Channel: "uart-2", Program: "/opt/my relay/100%/$x/qemu-relay", Config: odd}.Unit(),
		"user-vm": systemd.VM{
			Name: "demo", Program: run, Args: args, Restart: "on-failure", RestartSeconds: 5,
		}.Unit(),
		"system-vm": systemd.VM{
			Name: "demo", Program: run, Args: append(args, "--no-tcp"), System: true, KVM: true, Restart: "always", RestartSeconds: 60,
		}.Unit(),
		"group-vm": systemd.VM{
			Name: "demo", Program: run, Args: append(args, "--no-tcp"), System: true, User: "vmdemo", Group: "vms", Restart: "no", RestartSeconds: 5,
		}.Unit(),
	}
	names := map[string]string{
		"plain": "qemu-serial-relay.service", "config": "qemu-debugcon-relay.service", "quoted": "qemu-uart-2-relay.service",
		"user-vm": "microvm-demo.service", "system-vm": "microvm-demo.service", "group-vm": "microvm-demo.service",
	}
	for name, unit := range tests {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".service")
			if *update {
				if err := os.WriteFile(golden, []byte(unit.Text()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), unit.Text()); diff != "" {
				t.Error(diff)
			}
			if err := unit.Validate(); err != nil {
				t.Error(err)
			}
			if unit.Name != names[name] {
				t.Errorf("the name is %s, want %s", unit.Name, names[name])
			}
		})
	}
}

func TestInvalidProgram(t *testing.T) {
	tests := []struct{ program, want string }{
		{"qemu-relay", `program: "qemu-relay" is not an absolute path`},
		{"", `program: "" is not an absolute path`},
		{"/a\nb", `program: "/a\nb" has characters that systemd refuses (quotes, backslashes, control characters)`},
		{`/a'b`, `program: "/a'b" has characters that systemd refuses (quotes, backslashes, control characters)`},
	}
	for _, test := range tests {
		err := systemd.Relay{Channel: "serial", Program: test.program}.Unit().Validate()
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: got %v", test.program, err)
		}
	}
}

func TestInvalidVM(t *testing.T) {
	valid := systemd.VM{Name: "demo", Program: "/bin/x", Restart: "on-failure", RestartSeconds: 5}
	tests := []struct {
		change func(*systemd.VM)
		want   string
	}{
		{func(*systemd.VM) {}, ""},
		{func(v *systemd.VM) { v.Group = "vms" }, "group: only a system service has one (add --system)"},
		{func(v *systemd.VM) { v.System, v.User = true, "a b" }, `user: invalid name "a b"`},
		{func(v *systemd.VM) { v.Restart = "never" }, `restart: unknown word "never" (choose no, on-failure, always)`},
		{func(v *systemd.VM) { v.RestartSeconds = 0 }, "restart-seconds: 0 is too small (at least 1)"},
		{func(v *systemd.VM) { v.Program = "x" }, `program: "x" is not an absolute path`},
	}
	for _, test := range tests {
		vm := valid
		test.change(&vm)
		if err := vm.Validate(); test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
			t.Errorf("want %q, got %v", test.want, err)
		}
	}
}

// systemd-analyze reports no problem for a unit, even with the oddest names of the program
// and the settings file.
func TestSystemdAcceptsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing (install systemd)")
	}
	program := filepath.Join(t.TempDir(), "my relay 100%")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	vm := systemd.VM{Name: "demo", Program: program, Args: []string{"--config", odd}, Restart: "on-failure", RestartSeconds: 5}
	system := vm
	system.System, system.Group = true, "kvm"
	units := map[string]systemd.Unit{"user": vm.Unit(), "system": system.Unit()}
	for _, config := range []string{"", "/etc/qemu-relay/config.json", odd} {
		units["relay with "+config] = systemd.Relay{Channel: "serial", Program: program, Config: config}.Unit()
	}
	for name, unit := range units {
		path := filepath.Join(t.TempDir(), unit.Name)
		if err := os.WriteFile(path, []byte(unit.Text()), 0o600); err != nil {
			t.Fatal(err)
		}
		manager := "--user"
		if name == "system" {
			manager = "--system"
		}
		verify := exec.CommandContext(t.Context(), analyze, manager, "--man=no", "verify", path)
		verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "SYSTEMD_LOG_LEVEL=info")
		out, err := verify.CombinedOutput()
		if err != nil || strings.Contains(string(out), unit.Name) {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, unit.Text())
		}
	}
}
