package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userFlakeFlags returns the flags with which the flake of a user finds ours in this
// checkout, and the packages of this machine.
func userFlakeFlags(t *testing.T) string {
	t.Helper()
	here, err := filepath.Abs(Root)
	if err != nil {
		t.Fatal(err)
	}
	flags := "--override-input microvm-console git+file://" + here
	if os.Getenv("NIX_FLAGS") != "" {
		flags += " --override-input microvm-console/nixpkgs path:" + here + "/tests/hostpkgs"
	}
	return flags + " --no-write-lock-file"
}

// UserFlake makes a folder with a flake.nix, for commands as a document shows them: nix
// in the PATH of the test finds this checkout.
func UserFlake(t *testing.T, flake string) (folder string) {
	t.Helper()
	folder = filepath.Join(OwnFolders(t), "user")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	WriteFile(t, filepath.Join(folder, "flake.nix"), flake)
	nix := Wrapper(t, "nix", "#!/bin/bash\nexec REAL \"$1\" "+userFlakeFlags(t)+" \"${@:2}\"\n")
	Setenv(t, "PATH", nix+":"+Getenv(t, "PATH"))
	return folder
}

// Wrapper makes a program that stands for the one called name, and returns its folder.
// REAL in its text becomes the path of that program.
func Wrapper(t *testing.T, name, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	path := strings.TrimSpace(Must(t, Root, "bash", "-c", "command -v "+name))
	text = strings.ReplaceAll(text, "REAL", path)
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}
