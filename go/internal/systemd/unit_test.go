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
	tests := map[string]systemd.Unit{
		"plain":  {Channel: "serial", Program: program},
		"config": {Channel: "debugcon", Program: program, Config: "/nix/store/ffff-config.json"},
		"quoted": {Channel: "uart-2", Program: "/opt/my relay/100%/$x/qemu-relay", Config: odd},
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
			if want := "qemu-" + unit.Channel + "-relay.service"; unit.Name() != want {
				t.Errorf("the name is %s, want %s", unit.Name(), want)
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
		err := systemd.Unit{Channel: "serial", Program: test.program}.Validate()
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: got %v", test.program, err)
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
	for _, config := range []string{"", "/etc/qemu-relay/config.json", odd} {
		unit := systemd.Unit{Channel: "serial", Program: program, Config: config}
		path := filepath.Join(t.TempDir(), unit.Name())
		if err := os.WriteFile(path, []byte(unit.Text()), 0o600); err != nil {
			t.Fatal(err)
		}
		verify := exec.CommandContext(t.Context(), analyze, "--user", "--man=no", "verify", path)
		verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "SYSTEMD_LOG_LEVEL=info")
		out, err := verify.CombinedOutput()
		if err != nil || strings.Contains(string(out), unit.Name()) {
			t.Errorf("%v\n%s\n%s", err, out, unit.Text())
		}
	}
}
