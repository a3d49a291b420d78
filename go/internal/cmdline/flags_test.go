package cmdline_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/settings"
	"microvm-console/internal/vmconfig"
)

// shared runs a program with the flags that several programs have, and do in it.
func shared(t *testing.T, do cli.ActionFunc, args ...string) (status int, stderr string) {
	t.Helper()
	app := &cli.App{
		Name: "demo", Action: do,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(), cmdline.NameFlag(cmdline.OnlyVM), cmdline.ChannelFlag("show", ""),
			cmdline.BootFlag(), cmdline.TimeoutFlag(time.Minute, "end after `TIME`"),
		},
	}
	var out, errs bytes.Buffer
	status = cmdline.Run(t.Context(), app, append([]string{"demo"}, args...), &out, &errs)
	return status, errs.String()
}

func TestTimeoutAndBoot(t *testing.T) {
	for _, test := range []struct {
		args    string
		timeout time.Duration
		boot    int
		stderr  string
	}{
		{"", time.Minute, 0, ""},
		{"--timeout 2s --boot -3", 2 * time.Second, -3, ""},
		{"--timeout 0s", 0, 0, "invalid timeout 0s: must be positive, e.g. 30s"},
		{"--timeout -1s", 0, 0, "invalid timeout -1s: must be positive, e.g. 30s"},
		{"--boot 1", time.Minute, 0, "invalid boot 1: 0 is the newest one, -1 the one before"},
	} {
		t.Run(test.args, func(t *testing.T) {
			status, stderr := shared(t, func(c *cli.Context) error {
				timeout, err := cmdline.Timeout(c)
				if err != nil {
					return err
				}
				boot, err := cmdline.Boot(c)
				if timeout != test.timeout || boot != test.boot {
					t.Errorf("timeout %v, boot %d", timeout, boot)
				}
				return err
			}, strings.Fields(test.args)...)
			refuses(t, test.stderr, status, stderr)
		})
	}
}

// refuses checks that a program has ended with one error of wrong usage; "" is none.
func refuses(t *testing.T, want string, status int, stderr string) {
	t.Helper()
	if want == "" {
		if status != cmdline.StatusDone {
			t.Errorf("status %d: %s", status, stderr)
		}
		return
	}
	if diff := cmp.Diff("demo: "+want+"\n", stderr); diff != "" || status != cmdline.StatusUsage {
		t.Errorf("status %d: %s", status, diff)
	}
}

func TestTargetOf(t *testing.T) {
	t.Setenv("MICROVM_CONFIG", "")
	t.Setenv("QEMU_RELAY_CONFIG", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	path, m := config(t, "")
	for _, test := range []struct {
		args   string
		want   cmdline.Target
		stderr string
	}{
		{"", cmdline.Target{}, ""},
		{"--name a", cmdline.Target{VM: "a"}, ""},
		{"--config " + path, cmdline.Target{VM: "m", Consoles: m.Consoles}, ""},
		{"--channel serial --config " + path, cmdline.Target{Channel: "serial"}, ""},
		{"--channel serial --name a", cmdline.Target{}, "--channel and --name: a channel does not belong to a VM (use one of them)"},
	} {
		t.Run(test.args, func(t *testing.T) {
			status, stderr := shared(t, func(c *cli.Context) error {
				got, err := cmdline.TargetOf(c)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
				return err
			}, strings.Fields(test.args)...)
			refuses(t, test.stderr, status, stderr)
		})
	}
	status, stderr := shared(t, func(c *cli.Context) error {
		_, err := cmdline.TargetOf(c)
		return err
	}, "--channel", "../x")
	refuses(t, settings.CheckName("../x").Error(), status, stderr)
}

// A list may be given twice, and --config, which the wrapper of a VM's package has passed before.
func TestRepeatedFlags(t *testing.T) {
	app := &cli.App{
		Name: "demo", Flags: []cli.Flag{cmdline.ConfigFlag(), &cli.StringSliceFlag{Name: "list"}},
		Action: func(c *cli.Context) error {
			if diff := cmp.Diff([]string{"a", "b"}, c.StringSlice("list")); diff != "" || c.String("config") != "d" {
				t.Errorf("%q, %s", c.String("config"), diff)
			}
			return nil
		},
	}
	var out, errs bytes.Buffer
	words := strings.Fields("demo --config c --list a --config d --list b -- --config")
	refuses(t, "", cmdline.Run(t.Context(), app, words, &out, &errs), errs.String())
}

// A vm.json in the working folder is suggested, but not taken.
func TestNoConfigBesideAConfig(t *testing.T) {
	t.Setenv("MICROVM_CONFIG", "")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("vm.json", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, status, stderr := machine(t)
	refuses(t, "config: no vm.json is given (there is one here: --config vm.json)", status, stderr)
}

// An error of a file that only the environment variable names has the variable's name.
func TestConfigOfTheEnvironmentIsMissing(t *testing.T) {
	t.Setenv("MICROVM_CONFIG", "/none.json")
	_, missing := os.ReadFile("/none.json")
	_, status, stderr := machine(t)
	refuses(t, "MICROVM_CONFIG: "+missing.Error(), status, stderr)
	status, stderr = shared(t, func(c *cli.Context) error {
		_, err := cmdline.TargetOf(c)
		return err
	})
	refuses(t, "MICROVM_CONFIG: "+missing.Error(), status, stderr)
	_, status, stderr = machine(t, "--config", "/none.json")
	refuses(t, missing.Error(), status, stderr)
}

// The values of the flags of all programs are completed.
func TestSharedFlagsHaveCompletions(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("QEMU_RELAY_CONFIG", "")
	for flag, want := range map[string]string{
		"--accel": strings.Join(vmconfig.Accels, " "), "--machine": strings.Join(vmconfig.Types, " "),
		"--config": ":files", "--channel": "serial monitor debugcon", "--name": "", "--boot": "",
	} {
		app := &cli.App{Name: "demo", Flags: append(cmdline.MachineFlags(), cmdline.ChannelFlag("show", ""), cmdline.BootFlag())}
		var out, errs bytes.Buffer
		cmdline.Run(t.Context(), app, []string{"demo", flag, "", "--generate-bash-completion"}, &out, &errs)
		if diff := cmp.Diff(want, texts(out.String())); diff != "" || errs.Len() > 0 {
			t.Errorf("%s: %s%s", flag, diff, errs.String())
		}
	}
}
