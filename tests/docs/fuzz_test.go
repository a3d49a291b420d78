package docs

import (
	"regexp"
	"testing"

	"microvm-console/tests/internal/harness"
)

// scripts/fuzz runs the targets that are selected, and says how often: not at all in so
// short a time on a host that is busy. With none it is an
// error.
func TestFuzzOne(t *testing.T) {
	t.Parallel()
	if output := harness.Must(t, harness.Root, "scripts/fuzz", "1s", `plaintext\.FuzzLines$`); !regexp.MustCompile(`\Aok +internal/plaintext FuzzLines: ([0-9]+|no) runs in 1s\n\z`).MatchString(output) {
		t.Errorf("got %q", output)
	}
	if output, err := harness.Command(t, harness.Root, "scripts/fuzz", "1s", "FuzzNothing"); err == nil {
		t.Errorf("without a target: %q", output)
	}
}

// Each fuzz target of the Go packages finds nothing within seconds.
func TestFuzz(t *testing.T) {
	harness.OnlyAll(t)
	t.Logf("%s", harness.Must(t, harness.Root, "scripts/fuzz", "5s"))
}
