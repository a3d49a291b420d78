package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernelTree is what make does in a kernel's tree once all is built.
const kernelTree = `modules_install:
	mkdir -p $(INSTALL_MOD_PATH)/lib
	cp -rL MODULES/lib/modules $(INSTALL_MOD_PATH)/lib/
	chmod -R u+w $(INSTALL_MOD_PATH)
`

// ofDemo is the store path of a package that the demo was built from.
func ofDemo(t *testing.T, attribute, apply string) string {
	t.Helper()
	build(t, "console-demo")
	packages := []string{"path:./tests/hostpkgs"}
	if os.Getenv("NIX_FLAGS") == "" {
		packages = []string{"--inputs-from", ".", "nixpkgs"}
	}
	packages[len(packages)-1] += "#" + attribute
	args := append([]string{"eval", "--raw", "--apply", "package: toString (" + apply + ")"}, packages...)
	return strings.TrimSpace(must(t, root, "nix", args...))
}

// kernelDeveloper makes the home of somebody who has built a kernel: the demo's,
// whose drivers are modules.
func kernelDeveloper(t *testing.T) (home string) {
	t.Helper()
	modules := ofDemo(t, "linuxPackages.kernel", "package.modules")
	busybox := ofDemo(t, "busybox", "package.override { enableStatic = true; }")
	var vm struct{ Kernel string }
	text, err := os.ReadFile(filepath.Join(build(t, "console-demo"), "share", "microvm", "vm.json"))
	if err == nil {
		err = json.Unmarshal(text, &vm)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"GOPATH", "GOCACHE"} {
		t.Setenv(name, strings.TrimSpace(must(t, root, "go", "env", name)))
	}
	home = stranger(t, "")
	t.Setenv("HOME", home)
	t.Setenv("PATH", os.Getenv("PATH")+":"+busybox+"/bin")
	must(t, home, "install", "-D", vm.Kernel, "linux/arch/x86/boot/bzImage")
	write(t, filepath.Join(home, "linux", "Makefile"), strings.ReplaceAll(kernelTree, "MODULES", modules))
	return home
}

// A kernel from somebody's tree passes run-test, with Nix and without, as the
// example's commands say.
func TestOwnKernel(t *testing.T) {
	home := kernelDeveloper(t)
	t.Cleanup(func() { // where a block fails half way
		_, _ = command(t, home, "own-kernel/bin/microvm-shutdown", "--name", "own-kernel", "--force")
	})
	for _, block := range bashBlocks(t, "examples/own-kernel/README.md") {
		t.Logf("%s", block)
		output := must(t, root, "bash", "-euo", "pipefail", "-c", block+"\nwait\n")
		if strings.Contains(block, "run-test") && !strings.Contains(output, " 0 failed") {
			t.Errorf("run-test has not passed:\n%s", output)
		}
	}
}
