package harness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Parts are paths of what the demo's guest was made from.
type Parts struct {
	Kernel  string // a bzImage
	Modules string // a lib/modules with the modules of that kernel
	Busybox string // a static busybox
}

// PartsOfDemo returns the parts of the demo, which it builds.
func PartsOfDemo(t *testing.T) Parts {
	t.Helper()
	var vm struct{ Kernel string }
	text := ReadFile(t, filepath.Join(Build(t, "console-demo"), "share", "microvm", "vm.json"))
	if err := json.Unmarshal([]byte(text), &vm); err != nil {
		t.Fatal(err)
	}
	return Parts{
		Kernel:  vm.Kernel,
		Modules: packagePath(t, "linuxPackages.kernel", "package.modules") + "/lib/modules",
		Busybox: packagePath(t, "busybox", "package.override { enableStatic = true; }") + "/bin/busybox",
	}
}

// packagePath returns the store path of a package of nixpkgs, or of what a Nix expression
// makes of it.
func packagePath(t *testing.T, attribute, expression string) string {
	t.Helper()
	packages := []string{"path:./tests/hostpkgs"}
	if os.Getenv("NIX_FLAGS") == "" {
		packages = []string{"--inputs-from", ".", "nixpkgs"}
	}
	packages[len(packages)-1] += "#" + attribute
	args := append([]string{"eval", "--raw", "--apply", "package: toString (" + expression + ")"}, packages...)
	output := Must(t, Root, "nix", args...)
	return output[strings.LastIndex(output, "\n")+1:] // without the warnings before it
}
