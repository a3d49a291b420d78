package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// nixShim is the nix of a machine without nixpkgs: the same commands, with the package set of
// this machine.
const nixShim = `#!/bin/bash
case "$1 $*" in
	*--override-input*) exec REAL "$@" ;;
	build*|run*) exec REAL "$1" $NIX_FLAGS "${@:2}" ;;
	flake*) exec REAL "$1" "$2" $NIX_FLAGS "${@:3}" ;;
esac
exec REAL "$@"
`

// ncShim does with a real nc what a user does: it waits for the port, presses Enter until the
// guest asks for a login, and disconnects.
const ncShim = `#!/bin/bash
exec 3< <(exec timeout 120 bash -c 'while sleep 1; do echo; done | until REAL "$@"; do sleep 0.2; done' - "$@")
trap "kill $!" EXIT # timeout ends its process group
while IFS= read -r -u 3 -d : text; do
	case $text in *login) exit 0 ;; esac
done
echo "nc $*: no login prompt" >&2
exit 1
`

// TestDocuments runs every command that a document shows: the blocks marked as bash, in the
// order of the document.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"CONTRIBUTING.md", "docs/guest-agent.md", "docs/in-ci.md", "docs/kernel-events.md", "docs/reference.md",
		"docs/run-test.md", "docs/testing.md",
	} {
		t.Run(strings.ReplaceAll(document, "/", "-"), func(t *testing.T) {
			t.Parallel()
			runDocument(t, document)
		})
	}
}

// TestDocumentsWithPorts does the same for the documents that name the demo's ports, 4440 and
// 4441. It is not parallel: other tests may use these ports.
func TestDocumentsWithPorts(t *testing.T) {
	for _, document := range []string{"README.md", "docs/quickstart.md", "examples/console-demo/README.md"} {
		t.Run(strings.ReplaceAll(document, "/", "-"), func(t *testing.T) {
			harness.Setenv(t, "PATH", harness.Wrapper(t, "nc", ncShim)+":"+harness.Getenv(t, "PATH"))
			runDocument(t, document)
		})
	}
}

// runDocument runs the commands of a document in the checkout.
func runDocument(t *testing.T, document string) {
	t.Helper()
	harness.OwnFolders(t)
	harness.Setenv(t, "PATH", harness.Wrapper(t, "nix", nixShim)+":"+harness.Getenv(t, "PATH"))
	t.Cleanup(func() { // if a block fails before microvm-shutdown
		_, _ = harness.Command(t, harness.Root, "./result/bin/microvm-shutdown", "--force")
	})
	blocks := harness.BashBlocks(t, document)
	if len(blocks) == 0 {
		t.Fatal("it shows no command")
	}
	for _, block := range blocks {
		t.Logf("%s", block)
		// Processes that it starts in the background must end by themselves.
		output := harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c", block+"\nwait\n")
		t.Logf("%s", output)
	}
}

// documentsRunElsewhere are the documents whose commands other tests run, and the files of
// those tests, which name the document.
var documentsRunElsewhere = map[string]string{
	"docs/devices.md":               "tests/guest/devices_document_test.go",
	"docs/aarch64.md":               "tests/guest/aarch64_document_test.go",
	"docs/hobby-os.md":              "tests/relay/hobby_document_test.go",
	"docs/kernels.md":               "tests/guest/kernel_flavors_test.go",
	"docs/images.md":                "tests/guest/image_document_test.go",
	"docs/host-root.md":             "tests/guest/host_root_test.go",
	"docs/kernel-developer.md":      "tests/guest/kernel_document_test.go",
	"docs/own-vm.md":                "tests/flake/own_vm_document_test.go",
	"docs/relays.md":                "tests/relay/relay_document_test.go",
	"docs/services.md":              "tests/guest/service_test.go",
	"docs/without-nix.md":           "tests/release/document_test.go",
	"examples/debian/README.md":     "tests/guest/debian_test.go",
	"examples/go-test/README.md":    "tests/guest/examples_test.go",
	"examples/own-kernel/README.md": "tests/guest/own_kernel_test.go",
	"examples/pytest/README.md":     "tests/guest/examples_test.go",
}

// TestEveryDocumentIsRun fails if a document shows commands that no test runs.
func TestEveryDocumentIsRun(t *testing.T) {
	t.Parallel()
	here := harness.ReadFile(t, filepath.Join(harness.Root, "tests/docs/documents_test.go"))
	for _, name := range documents(t) {
		if len(harness.BashBlocks(t, name)) == 0 {
			continue
		}
		place, source := "tests/docs/documents_test.go", here
		if elsewhere := documentsRunElsewhere[name]; elsewhere != "" {
			place, source = elsewhere, harness.ReadFile(t, filepath.Join(harness.Root, elsewhere))
		}
		if !strings.Contains(source, `"`+name+`"`) {
			t.Errorf("%s does not run the commands of %s", place, name)
		}
	}
}
