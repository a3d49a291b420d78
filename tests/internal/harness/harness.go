// Package harness contains the helpers of the end-to-end tests. The test packages are
// flake (Nix: checks, modules, a user's flake), guest (a real guest in a real VM), relay
// (channels, run-qemu, services), release (the tarball and the Debian package) and docs
// (documents, formats, linters). Each of them calls [Main] in its TestMain. scripts/test runs
// them.
//
// Every test process accepts the flags in flags.go. The commands of a test run with the
// environment of that test ([Setenv]). Tests do not change the environment of the process,
// so that they may run in parallel.
//
// The files:
//
//	harness.go     Main, Root, System; Skip and OnlyAll, for tests that cannot run here
//	flags.go       All, KVM, Lines, Long, Update
//	command.go     Command, Must: run a command; NewCommand, NewCommandContext
//	environment.go Setenv, Getenv: the environment of a test's commands
//	folders.go     OwnFolders: run and state folders for a test; FreePort, WriteFile
//	flake.go       Nix, Build: outputs of the flake; DemoProgram, Tool: programs in them
//	parts.go       PartsOfDemo: the kernel, modules and busybox of the demo; PartsWith9P, UseVirtiofsd, DebianRoot
//	licenses.go    CheckLicenses: the licenses of the modules in our programs
//	session.go     Start: an interactive program; Alive
//	tmux.go        OpenTmux: a real terminal with a screen and keys; ScreenOf
//	player.go      OpenPlayer: asciinema's player in Chromium
//	demo.go        StartDemo, DemoWith, Connect, Login, Shell: the demo VM and its guest
//	consoles.go    Consoles, Request: the demo's control socket; ReadJournal
//	client.go      NewClient, ClientOfEachKind: readers that keep what they receive
//	numbered.go    PrintLines, CheckLines: numbered lines that a guest prints
//	documents.go   Section, Block, BashBlocks, TableRows: parts of a document
//	golden.go      Golden, GoldenJSON: compare with a golden file, or rewrite it
//	userflake.go   UserFolder, UserFlake: a folder with a user's flake; Wrapper
//	namespaces.go  InOwnMounts, InOwnNetwork: run a test in namespaces of its own
//	systemd.go     InSystemd, InSystemdAsUser: run a script, or a test, under a real systemd
package harness

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// Root is the path of the checkout, relative to a test package.
const Root = "../.."

// System is the system of the flake's outputs that the tests build.
const System = "x86_64-linux"

// absentInCI lists the tools that a machine without nixpkgs cannot have, and the tests that
// run only on request. In CI, a test that would skip for another reason fails.
var absentInCI = []string{"/dev/vhost-vsock", "HOME_MANAGER", "NIXPKGS_LIB", "all", "deadnix", "golangci-lint", "guest-kernel", "kvm-host", "nixfmt", "statix", "testers"}

// Main runs the tests of a package and exits. It fails unless scripts/test has prepared the
// machine.
func Main(m *testing.M) {
	if _, prepared := os.LookupEnv("NIX_FLAGS"); !prepared {
		fmt.Fprintln(os.Stderr, "tests: the machine is not prepared (run scripts/test with the flags of go test)")
		os.Exit(2)
	}
	if InsideKVM() {
		useOutputs(os.Getenv(OutputsVariable))
		WaitLimit = 15 * time.Minute
	}
	os.Exit(m.Run())
}

// Skip skips a test because a tool is missing. remedy says how to get the tool.
func Skip(t *testing.T, tool, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" && !slices.Contains(absentInCI, tool) {
		t.Fatalf("%s is missing: %s", tool, remedy)
	}
	t.Skipf("%s is missing: %s", tool, remedy)
}

// OnlyAll skips a test that takes minutes unless the flag -all is set.
func OnlyAll(t *testing.T) {
	t.Helper()
	if !*All {
		Skip(t, "all", "it takes minutes (scripts/test --all runs it)")
	}
}
