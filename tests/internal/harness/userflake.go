package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userFlakeFlags are the flags with which a flake of somebody else finds ours in
// this checkout, and the packages of this machine.
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

// userFlakeNix is a nix for a stranger's folder.
const userFlakeNix = `#!/bin/bash
exec REAL "$1" FLAGS "${@:2}"
`

// UserFlake makes a folder with a flake.nix, for a person who types commands there
// as they stand in a document.
func UserFlake(t *testing.T, flake string) (folder string) {
	t.Helper()
	folder = filepath.Join(OwnFolders(t), "stranger")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	WriteFile(t, filepath.Join(folder, "flake.nix"), flake)
	nix := Wrapper(t, "nix", strings.ReplaceAll(userFlakeNix, "FLAGS", userFlakeFlags(t)))
	Setenv(t, "PATH", nix+":"+Getenv(t, "PATH"))
	return folder
}

// WriteFile writes a file.
func WriteFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
