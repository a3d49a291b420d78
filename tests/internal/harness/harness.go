// Package harness holds what the end-to-end tests share. The packages beside it are
// grouped by what they exercise: flake (Nix: checks, modules, a user's flake), guest (a
// real guest in a real VM), relay (channels, run-qemu, services), release (the tarball and
// the Debian package) and docs (documents, formats, linters). Each of them calls [Main] in its TestMain. scripts/test runs them.
//
// Every test process accepts the flags of flags.go. Commands of a test run with the
// environment of that test ([Setenv]), never with a changed one of the process, so that
// tests may run in parallel.
//
// Where to find what:
//
//	harness.go     Main, Root, System; Skip and OnlyAll, for what a machine lacks
//	flags.go       All, KVM, Lines, Long, Update
//	command.go     Command, Must: run a command; NewCommand, NewCommandContext
//	environment.go Setenv, Getenv: the environment of a test's commands
//	folders.go     OwnFolders: run and state folders of the test's own; FreePort, WriteFile
//	flake.go       Nix, Build: outputs of the flake; DemoProgram, Tool: programs in them
//	parts.go       PartsOfDemo: the kernel, modules and busybox of the demo
//	licenses.go    CheckLicenses: the licences of the modules in our programs
//	session.go     Start: a program beside the test, to type into and to wait for; Alive
//	tmux.go        OpenTmux: a real terminal, its screen and its keys
//	demo.go        StartDemo, DemoWith, Connect, Login, Shell: the demo VM and its guest
//	consoles.go    Consoles, Request: what the demo's control socket says; ReadJournal
//	client.go      NewClient, ClientOfEachKind: readers that keep what they get
//	numbered.go    PrintLines, CheckLines: numbered lines that a guest prints
//	documents.go   Section, Block, BashBlocks, TableRows: parts of a document
//	golden.go      Golden, GoldenJSON: compare with a golden file, or rewrite it
//	userflake.go   UserFlake: a folder of a user whose flake uses ours; Wrapper
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

// Root is the checkout, as seen from a package of tests.
const Root = "../.."

// System is the system that the flake is built for.
const System = "x86_64-linux"

// absentInCI lists what a machine without nixpkgs cannot have, and what is made only on
// request. In CI, a test that skips for any other reason fails.
var absentInCI = []string{"/dev/vhost-vsock", "HOME_MANAGER", "NIXPKGS_LIB", "all", "deadnix", "golangci-lint", "guest-kernel", "kvm-host", "nixfmt", "statix", "testers"}

// Main runs the tests of a package and exits. It fails if scripts/test has not prepared
// the machine.
func Main(m *testing.M) {
	if _, prepared := os.LookupEnv("NIX_FLAGS"); !prepared {
		fmt.Fprintln(os.Stderr, "tests: not prepared (run scripts/test, with the flags of go test)")
		os.Exit(2)
	}
	if InsideKVM() {
		useOutputs(os.Getenv(OutputsVariable))
		WaitLimit = 15 * time.Minute
	}
	os.Exit(m.Run())
}

// Skip skips a test that lacks a tool, and prints which one and the remedy.
func Skip(t *testing.T, tool, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" && !slices.Contains(absentInCI, tool) {
		t.Fatalf("%s is missing: %s", tool, remedy)
	}
	t.Skipf("%s is missing: %s", tool, remedy)
}

// OnlyAll skips a test that takes minutes, unless the flag -all is set.
func OnlyAll(t *testing.T) {
	t.Helper()
	if !*All {
		Skip(t, "all", "it takes minutes (scripts/test --all runs it)")
	}
}
