package flake

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// The commands of docs/own-vm.md make a VM from the template, and those of the README begin
// in the same way. The flake that the document shows has the options of the template. It is not parallel,
// since TestTemplate needs the ports of the template too.
func TestOwnVMDocument(t *testing.T) {
	const document = "docs/own-vm.md"
	here, err := filepath.Abs(harness.Root)
	if err != nil {
		t.Fatal(err)
	}
	address := "git+file:///home/me/src/microvm-console"
	folder := harness.UserFlake(t, "")
	harness.Must(t, folder, "rm", "flake.nix")
	blocks := harness.BashBlocks(t, document)
	output := typeCommands(t, folder, strings.ReplaceAll(strings.Join(blocks, ""), address, "git+file://"+here))
	if !strings.Contains(output, " 0 failed") {
		t.Errorf("run-test has not passed:\n%s", output)
	}
	readme := harness.Block(t, harness.Section(t, "README.md", "## Your own VM"), "sh")
	for _, line := range []string{"nix flake init -t " + address, "nix build path:.", "./result/bin/run-test"} {
		if !strings.Contains(readme, line+"\n") {
			t.Errorf("README.md does not show %q", line)
		}
	}

	shown := harness.UserFlake(t, harness.Block(t, harness.ReadFile(t, filepath.Join(harness.Root, document)), "nix"))
	typeCommands(t, shown, "nix build path:.")
	vm := func(folder string) string {
		return harness.ReadFile(t, filepath.Join(folder, "result", "share", "microvm", "vm.json"))
	}
	if vm(shown) != vm(folder) {
		t.Errorf("the flake of %s and the template differ:\n%s\n%s", document, vm(shown), vm(folder))
	}
}
