package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userFlakeFlags returns the flags of nix that replace the inputs of a user's flake: ours with
// this checkout, and nixpkgs with the package set of this machine.
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

// UserFolder makes an empty folder for the flake of a user. nix in the PATH of the test
// replaces the address of microvm-console in that flake with this checkout.
func UserFolder(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(OwnFolders(t), "user")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	nix := Wrapper(t, "nix", "#!/bin/bash\n[ \"$1\" = build ] || exec REAL \"$@\"\nexec REAL \"$1\" "+userFlakeFlags(t)+" \"${@:2}\"\n")
	Setenv(t, "PATH", nix+":"+Getenv(t, "PATH"))
	return folder
}

// UserFlake makes a folder with a flake.nix; see UserFolder.
func UserFlake(t *testing.T, flake string) (folder string) {
	t.Helper()
	folder = UserFolder(t)
	WriteFile(t, filepath.Join(folder, "flake.nix"), flake)
	return folder
}

// Wrapper makes a program that replaces the one called name, and returns its folder, for
// PATH. REAL in its text becomes the path of the original.
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
