package cmdline_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/vmconfig"
)

// config writes a vm.json whose files exist, with additional fields.
func config(t *testing.T, more string) (path string, m vmconfig.Machine) {
	t.Helper()
	dir := t.TempDir()
	path, kernel := filepath.Join(dir, "vm.json"), filepath.Join(dir, "kernel")
	text := `{"name": "m", "qemu": "/bin/sh", "kernel": "` + kernel + `", "consoles": [{"name": "serial", "device": "ttyS0", "port": 1}]` + more + `}`
	for path, text := range map[string]string{path: text, kernel: strings.Repeat("\x00", 514) + "HdrS"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, vmconfig.Machine{
		Name: "m", Type: "auto", Accel: "auto", QEMU: "/bin/sh", Kernel: kernel, Sandbox: true, MemoryMiB: 256, VCPUs: 1,
		Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0", Port: 1}},
	}
}

// machine runs a program with MachineFlags and returns the result of Machine.
func machine(t *testing.T, args ...string) (m vmconfig.Machine, status int, stderr string) {
	t.Helper()
	app := &cli.App{Name: "demo", Flags: cmdline.MachineFlags(), Action: func(c *cli.Context) (err error) {
		m, err = cmdline.Machine(c, vmconfig.Machine.CheckFiles)
		return err
	}}
	var out, errs bytes.Buffer
	status = cmdline.Run(t.Context(), app, append([]string{"demo"}, args...), &out, &errs)
	return m, status, errs.String()
}

func TestMachine(t *testing.T) {
	path, plain := config(t, "")
	flagged := plain
	flagged.Name, flagged.Accel, flagged.Type = "n", "tcg", "q35"
	tests := []struct {
		name string
		env  string
		args []string
		want vmconfig.Machine
	}{
		{"by flag", "/none", []string{"--config", path}, plain},
		{"by variable", path, nil, plain},
		{"with flags", "", []string{"--config", path, "--name", "n", "--accel", "tcg", "--machine", "q35"}, flagged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("MICROVM_CONFIG", test.env)
			got, status, stderr := machine(t, test.args...)
			if diff := cmp.Diff(test.want, got); diff != "" || status != 0 {
				t.Error(diff, stderr)
			}
		})
	}
}

func TestInvalidMachine(t *testing.T) {
	t.Setenv("MICROVM_CONFIG", "")
	good, m := config(t, "")
	bad, _ := config(t, `, "vcpus": -1, "accel": "x"`)
	missing, _ := config(t, `, "initrd": "/none"`)
	wrong := m
	wrong.Name, wrong.Accel, wrong.Type = "N", "", "pc"
	var mistakes []string
	for _, err := range multierror.Append(nil, wrong.Validate()).Errors {
		mistakes = append(mistakes, err.Error())
	}
	_, err := vmconfig.Load(bad)
	var inFile []string
	for _, err := range multierror.Append(nil, err).Errors {
		inFile = append(inFile, err.Error())
	}
	_, noConfig := os.ReadFile(m.Kernel + ".none")
	_, noInitrd := os.Stat("/none")
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"no config", nil, []string{"config: no vm.json is given (use --config FILE, or set MICROVM_CONFIG)"}},
		{"no such config", []string{"--config", m.Kernel + ".none"}, []string{noConfig.Error()}},
		{
			"mistakes in the config", []string{"--config", bad},
			inFile,
		},
		{
			"mistakes in the flags", []string{"--config", good, "--name", "N", "--accel", "", "--machine", "pc"},
			mistakes,
		},
		{
			"a file that is missing", []string{"--config", missing},
			[]string{missing + ": initrd: " + noInitrd.Error() + " (set initrd to the path of an initramfs)"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, status, stderr := machine(t, test.args...)
			want := "demo: " + strings.Join(test.want, "\ndemo: ") + "\n"
			if diff := cmp.Diff(want, stderr); diff != "" || status != cmdline.StatusUsage {
				t.Errorf("status %d\n%s", status, diff)
			}
		})
	}
}

func TestMachineName(t *testing.T) {
	path, _ := config(t, "")
	invalid := func(name string) string { return "demo: " + vmconfig.CheckName(name).Error() + "\n" }
	tests := []struct {
		name   string
		args   []string
		want   string
		stderr string
	}{
		{"by flag", []string{"--config", "/none", "--name", "n"}, "n", ""},
		{"by config", []string{"--config", path}, "m", ""},
		{"neither", nil, "", ""},
		{"a path", []string{"--name", "../x"}, "", invalid("../x")},
		{"a folder", []string{"--name", "."}, "", invalid(".")},
		{"an absolute path", []string{"--config", path, "--name", "/tmp/m"}, "", invalid("/tmp/m")},
		{"an empty variable in a script", []string{"--name", ""}, "", invalid("")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("MICROVM_CONFIG", "")
			app := &cli.App{Name: "demo", Flags: cmdline.MachineFlags(), Action: func(c *cli.Context) error {
				got, err := cmdline.MachineName(c)
				if err == nil && got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				return err
			}}
			want := cmdline.StatusDone
			if test.stderr != "" {
				want = cmdline.StatusUsage
			}
			var out, errs bytes.Buffer
			status := cmdline.Run(t.Context(), app, append([]string{"demo"}, test.args...), &out, &errs)
			if diff := cmp.Diff(test.stderr, errs.String()); diff != "" || status != want {
				t.Errorf("status %d\n%s", status, diff)
			}
		})
	}
}
