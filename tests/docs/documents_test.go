package docs

import (
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// nixShim is the nix of a machine without nixpkgs: the same commands, with the
// package set of this machine.
const nixShim = `#!/bin/bash
case "$1 $*" in
	*--override-input*) exec REAL "$@" ;;
	build*|run*) exec REAL "$1" $NIX_FLAGS "${@:2}" ;;
	flake*) exec REAL "$1" "$2" $NIX_FLAGS "${@:3}" ;;
esac
exec REAL "$@"
`

// ncShim does with a real nc what a user does: wait for the port, press Enter until the
// guest asks for a login, and leave.
const ncShim = `#!/bin/bash
connect() { until REAL "$@"; do sleep 0.2; done; }
export -f connect
exec 3< <({ while sleep 1; do echo; done; } | timeout 120 bash -c 'connect "$@"' - "$@")
while IFS= read -r -u 3 -d : text; do
	case $text in *login) exit 0 ;; esac
done
echo "nc $*: no login prompt" >&2
exit 1
`

// Every command shown in a document does what it says, as shown: each block
// marked as bash is run, in the order of the document.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"CONTRIBUTING.md", "docs/run-test.md"} {
		t.Run(strings.ReplaceAll(document, "/", "-"), func(t *testing.T) {
			t.Parallel()
			runDocument(t, document)
		})
	}
}

// The same for the documents that name the demo's ports, 4440 and 4441. This test is
// not parallel: others may be given these ports.
func TestDocumentsWithPorts(t *testing.T) {
	for _, document := range []string{"README.md", "examples/console-demo/README.md"} {
		t.Run(strings.ReplaceAll(document, "/", "-"), func(t *testing.T) {
			harness.Setenv(t, "PATH", harness.Wrapper(t, "nc", ncShim)+":"+harness.Getenv(t, "PATH"))
			runDocument(t, document)
		})
	}
}

// runDocument runs the commands of a document.
func runDocument(t *testing.T, document string) {
	t.Helper()
	harness.OwnFolders(t)
	harness.Setenv(t, "PATH", harness.Wrapper(t, "nix", nixShim)+":"+harness.Getenv(t, "PATH"))
	t.Cleanup(func() { // where a block fails half way
		_, _ = harness.Command(t, harness.Root, "./result/bin/microvm-shutdown", "--force")
	})
	blocks := harness.BashBlocks(t, document)
	if len(blocks) == 0 {
		t.Fatal("it shows no command")
	}
	for _, block := range blocks {
		t.Logf("%s", block)
		// What was started in the background has to end by itself.
		harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c", block+"\nwait\n")
	}
}
