package flake

import (
	"path/filepath"
	"regexp"
	"testing"

	"microvm-console/tests/internal/harness"
)

// servicesOfVMs has VMs with every option of a module.
var servicesOfVMs = map[string]string{
	"nixosModules": `vms = {
		web = { config.memoryMiB = 128; group = "vms"; user = "www"; };
		late = { autostart = false; restart = "always"; restartSeconds = 60; };
		off.enable = false;
	};`,
	"homeModules": `vms = {
		web.config.memoryMiB = 128;
		late = { autostart = false; restart = "always"; restartSeconds = 60; };
		off.enable = false;
	};`,
}

// TestModulesOfVMs compares what the modules set for VMs, and their units, with golden files,
// without the store hashes.
func TestModulesOfVMs(t *testing.T) {
	t.Parallel()
	hash := regexp.MustCompile(`/nix/store/[a-z0-9]{32}-`)
	for module, vms := range servicesOfVMs {
		t.Run(module, func(t *testing.T) {
			made, err := evaluateWith(t, module, vms)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "modules", module+"-vms")
			harness.GoldenJSON(t, golden+".json", hash.ReplaceAllString(made, "/nix/store/"))
			output, err := realise(t, made)
			if err != nil {
				t.Fatal(output)
			}
			for _, name := range []string{"web", "late"} {
				unit := regexp.MustCompile(`(?m)^/nix/store/\S*-microvm-` + name + `-unit$`).FindString(output)
				found, err := filepath.Glob(filepath.Join(unit, "share", "systemd", "*", "microvm-"+name+".service"))
				if err != nil || len(found) != 1 {
					t.Fatalf("the units of %s are %q, %v", name, found, err)
				}
				text := hash.ReplaceAllString(harness.ReadFile(t, found[0]), "/nix/store/")
				harness.Golden(t, golden+"-"+name+".service", text)
			}
		})
	}
}

// TestMistakesInVMs checks that a mistake fails the evaluation if Nix can see it, and else the
// build, with the message of the program.
func TestMistakesInVMs(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, vms, evaluating, building string }{
		{
			name: "two VMs in one", vms: `{ web = { config.memoryMiB = 64; package = { type = "derivation"; outPath = "/none"; name = "x"; }; }; }`,
			evaluating: "services.microvm-console.vms.web: package and config exclude each other (set one of them)",
		},
		{name: "no such policy", vms: `{ web.restart = "never"; }`, evaluating: `vms.web.restart`},
		{name: "no such option", vms: `{ web.memoryMiB = 64; }`, evaluating: `vms.web.memoryMiB`},
		{name: "no such field", vms: `{ web.config.memory = 64; }`, building: "web.json: memory: unknown field (did you mean memoryMiB?)"},
		{name: "no name", vms: `{ Web = { }; }`, building: `name: invalid name "Web"`},
	}
	for module := range modules {
		for _, test := range tests {
			t.Run(module+"/"+test.name, func(t *testing.T) {
				made, err := evaluateWith(t, module, "vms = "+test.vms+";")
				refused(t, made, err, test.evaluating, test.building)
			})
		}
	}
}
