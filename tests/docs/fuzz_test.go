package docs

import (
	"regexp"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestFuzzOne checks that scripts/fuzz runs the selected target and prints the number of
// runs, which can be zero on a busy host. It is an error to select none.
func TestFuzzOne(t *testing.T) {
	t.Parallel()
	if output := harness.Must(t, harness.Root, "scripts/fuzz", "1s", `plaintext\.FuzzLines$`); !regexp.MustCompile(`\Aok +internal/plaintext FuzzLines: ([0-9]+|no) runs in 1s\n\z`).MatchString(output) {
		t.Errorf("got %q", output)
	}
	if output, err := harness.Command(t, harness.Root, "scripts/fuzz", "1s", "FuzzNothing"); err == nil {
		t.Errorf("no target matches, but the status is 0: %q", output)
	}
}

// TestFuzz runs each fuzz target of the Go packages for some seconds.
func TestFuzz(t *testing.T) {
	harness.OnlyAll(t)
	t.Logf("%s", harness.Must(t, harness.Root, "scripts/fuzz", "5s"))
}
