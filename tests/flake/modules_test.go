package flake

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// reference returns the value of an environment variable, the path of the real nixpkgs lib or
// of home-manager. The modules are evaluated with them, and neither is part of this
// repository. what names the repository.
func reference(t *testing.T, variable, what string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		harness.Skip(t, variable, "set it to a checkout of "+what)
	}
	return path
}

// modules has, for each attribute of the flake with a module, a function that returns the Nix
// expression which evaluates the module with settings: "settings = { … };", those of
// services.qemu-relay, or "vms = { … };", those of services.microvm-console.
var modules = map[string]func(t *testing.T, settings string) string{
	"nixosModules": func(t *testing.T, settings string) string {
		return fmt.Sprintf("module: import ./tests/flake/modules/nixos.nix { inherit module; nixpkgsLib = %s; %s }",
			reference(t, "NIXPKGS_LIB", "nix-community/nixpkgs.lib"), settings)
	},
	"homeModules": func(t *testing.T, settings string) string {
		return fmt.Sprintf("module: import ./tests/flake/modules/home-manager.nix { inherit module; nixpkgsLib = %s; homeManager = %s; %s }",
			reference(t, "NIXPKGS_LIB", "nix-community/nixpkgs.lib"), reference(t, "HOME_MANAGER", "nix-community/home-manager"), settings)
	},
}

// evaluate returns what a module makes of settings of services.qemu-relay, as JSON.
func evaluate(t *testing.T, module, settings string) (string, error) {
	t.Helper()
	return evaluateWith(t, module, "settings = "+settings+";")
}

// evaluateWith returns what a module makes of settings; see modules.
func evaluateWith(t *testing.T, module, settings string) (string, error) {
	t.Helper()
	args := append([]string{"eval", "--json", "--impure"}, strings.Fields(os.Getenv("NIX_FLAGS"))...)
	run := harness.NewCommandContext(t.Context(), t, "nix", append(args, ".#"+module+".default", "--apply", modules[module](t, settings))...)
	run.Dir = harness.Root
	var stderr strings.Builder
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(out), nil
}

// everything sets every option.
const everything = `{
	enable = true; directory = "/run/q"; retentionMiB = 16; boots = 3;
	channels.serial.tcp = 4450; channels.monitor.input = false; channels.debugcon.enable = false;
	channels.uart-2.enable = true;
}`

// TestModules compares what the modules set with golden files, without the store hashes.
func TestModules(t *testing.T) {
	t.Parallel()
	hash := regexp.MustCompile(`/nix/store/[a-z0-9]{32}-`)
	cases := map[string]string{"off": "{ }", "plain": "{ enable = true; }", "everything": everything}
	for module := range modules {
		for name, settings := range cases {
			t.Run(module+"/"+name, func(t *testing.T) {
				made, err := evaluate(t, module, settings)
				if err != nil {
					t.Fatal(err)
				}
				harness.GoldenJSON(t, filepath.Join("testdata", "modules", module+"-"+name+".json"), hash.ReplaceAllString(made, "/nix/store/"))
			})
		}
	}
}

// TestMistakesInModules checks that a mistake fails the evaluation if Nix can see it, and else
// the build, with the message of the program.
func TestMistakesInModules(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, settings, evaluating, building string }{
		{
			name: "a port twice", settings: `{ enable = true; channels.serial.tcp = 1; channels.monitor.tcp = 1; }`,
			evaluating: "services.qemu-relay.channels: monitor serial have tcp = 1 (give each a port of its own)",
		},
		{
			name: "no channel", settings: `{ enable = true; channels.serial.enable = false; channels.monitor.enable = false; channels.debugcon.enable = false; }`,
			evaluating: "services.qemu-relay.channels: none is enabled",
		},
		{name: "no port", settings: `{ enable = true; channels.serial.tcp = 65536; }`, evaluating: "channels.serial.tcp"},
		{name: "no setting", settings: `{ enable = true; channels.serial.port = 1; }`, evaluating: "channels.serial.port"},
		{name: "a folder", settings: `{ enable = true; directory = "tmp"; }`, building: `json: directory: "tmp" is not an absolute path`},
		{name: "a name", settings: `{ enable = true; channels.A = { }; }`, building: `json: channels: invalid channel name "A"`},
	}
	for module := range modules {
		for _, test := range tests {
			t.Run(module+"/"+test.name, func(t *testing.T) {
				made, err := evaluate(t, module, test.settings)
				refused(t, made, err, test.evaluating, test.building)
			})
		}
	}
}

// realise builds the derivations that the output of evaluate lists, and returns the output.
func realise(t *testing.T, made string) (string, error) {
	t.Helper()
	var parsed struct{ Builds []string }
	if err := json.Unmarshal([]byte(made), &parsed); err != nil || len(parsed.Builds) == 0 {
		t.Fatalf("%v: nothing to build in %s", err, made)
	}
	return harness.Command(t, harness.Root, "nix-store", append([]string{"--realise"}, parsed.Builds...)...)
}

// TestModulesBuildUnits builds the units of both modules. They contain the store path of the
// settings, so that changed settings change the units, which restarts them.
func TestModulesBuildUnits(t *testing.T) {
	t.Parallel()
	for module := range modules {
		t.Run(module, func(t *testing.T) {
			texts := map[string]bool{}
			for _, settings := range []string{`{ enable = true; }`, everything} {
				made, err := evaluate(t, module, settings)
				if err != nil {
					t.Fatal(err)
				}
				output, err := realise(t, made)
				if err != nil {
					t.Fatal(output)
				}
				units := regexp.MustCompile(`(?m)^/nix/store/\S*-qemu-relay-units$`).FindString(output)
				text := harness.ReadFile(t, filepath.Join(units, "share", "systemd", "user", "qemu-serial-relay.service"))
				config := regexp.MustCompile(`/nix/store/[a-z0-9]*-qemu-relay\.json`).FindString(text)
				if config == "" || !strings.Contains(made, config) {
					t.Errorf("the settings of the unit are %q, not those of the module: %s", config, made)
				}
				texts[text] = true
			}
			if len(texts) != 2 {
				t.Errorf("different settings, the same unit: %v", texts)
			}
		})
	}
}

// refused checks that a module's evaluation, with the result made and the error err, fails with the
// text evaluating, or, if that is "", that the build fails with the text building.
func refused(t *testing.T, made string, err error, evaluating, building string) {
	t.Helper()
	if evaluating != "" {
		if err == nil || !strings.Contains(err.Error(), evaluating) {
			t.Errorf("want %q, got %v", evaluating, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if output, err := realise(t, made); err == nil || !strings.Contains(output, building) {
		t.Errorf("want %q, got %v: %s", building, err, output)
	}
}
