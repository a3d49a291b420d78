package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// section is what a document says under a heading.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", document, heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// block is the first block of a language in a text.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n```"+language+"\n")
	code, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed {
		t.Fatalf("no %s block in:\n%s", language, text)
	}
	return code + "\n"
}

// strangerFlags are the flags with which a flake of somebody else finds ours in
// this checkout, and the packages of this machine.
func strangerFlags(t *testing.T) string {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	flags := "--override-input microvm-console git+file://" + here
	if os.Getenv("NIX_FLAGS") != "" {
		flags += " --override-input microvm-console/nixpkgs path:" + here + "/tests/hostpkgs"
	}
	return flags + " --no-write-lock-file"
}

// strangersNix is a nix for a stranger's folder.
const strangersNix = `#!/bin/bash
exec REAL "$1" FLAGS "${@:2}"
`

// stranger makes a folder with a flake.nix, for a person who types commands there
// as they stand in a document.
func stranger(t *testing.T, flake string) (folder string) {
	t.Helper()
	folder = filepath.Join(private(t), "stranger")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "flake.nix"), flake)
	nix := shim(t, "nix", strings.ReplaceAll(strangersNix, "FLAGS", strangerFlags(t)))
	setenv(t, "PATH", nix+":"+getenv(t, "PATH"))
	return folder
}

// write writes a file.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// typed types commands in a folder, and returns what they print. What they start in
// the background has to end by itself.
func typed(t *testing.T, folder, commands string) string {
	t.Helper()
	t.Cleanup(func() { // where one fails half way
		_, _ = command(t, folder, "./result/bin/microvm-shutdown", "--force")
	})
	return must(t, folder, "bash", "-euo", "pipefail", "-c", commands+"\nwait\n")
}

// storeHash is what differs from one package set to the next.
var storeHash = regexp.MustCompile(`/nix/store/[^"]*/`)

// The flake that README shows makes a VM, as its commands say; its own check is
// among those of run-test.
func TestStrangersFlake(t *testing.T) {
	t.Parallel()
	readme := section(t, "README.md", "## Your own VM")
	folder := stranger(t, block(t, readme, "nix"))
	output := typed(t, folder, block(t, readme, "sh"))
	for _, want := range []string{"it is up", " 0 failed"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	made, err := os.ReadFile(filepath.Join(folder, "result", "share", "microvm", "vm.json"))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, filepath.Join("testdata", "vm", "my-vm.json"), storeHash.ReplaceAllString(string(made), "/nix/store/…/"))
}

// A VM takes an image that was made apart from it. The command that a guest starts with
// prints on its /dev/console, and so does init of its failure.
func TestImageMadeApart(t *testing.T) {
	t.Parallel()
	folder := stranger(t, machineFlake(`initrd = microvm-console.lib.mkGuestInitrd {
		system = "x86_64-linux"; hostname = "apart"; start = "echo start of $USER in $PWD; ls /nosuch; exit 7";
	};`))
	typed(t, folder, "nix build path:.")
	vm := start(t, filepath.Join(folder, "result", "bin", "microvm-run"), "--auto-ports")
	vm.expect(`hvc0 +tcp`, 1)
	console := start(t, filepath.Join(folder, "result", "bin", "connect-console"))
	console.expect(`start: ended with status 7`, 1)
	console.expect(`start of .* in /root\b`, 1)
	console.expect(`ls: .*/nosuch: `, 1)
	console.expect(`apart login: `, 1)
	login(console)
	must(t, folder, "./result/bin/microvm-shutdown")
	if status := vm.status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// A VM may do without an image.
func TestNoImage(t *testing.T) {
	t.Parallel()
	folder := stranger(t, machineFlake(`initrd = null;`))
	typed(t, folder, `nix build path:.; test "$(grep -c initrd result/share/microvm/vm.json)" = 0`)
}

// machineFlake is the flake of a VM called own with more options.
func machineFlake(options string) string {
	return fmt.Sprintf(`{
  inputs.microvm-console.url = "none";
  outputs = { microvm-console, ... }: {
    packages.x86_64-linux.default = microvm-console.lib.mkMicrovm ({
      system = "x86_64-linux"; name = "own";
    } // { %s });
  };
}
`, options)
}
