package guest

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestBenchKernel runs scripts/bench for both kernels on both machine types.
func TestBenchKernel(t *testing.T) {
	minimalDemo(t)
	dir := t.TempDir()
	harness.Must(t, harness.Root, "scripts/bench", "kernel", "--quick", "--output", dir)
	text := harness.ReadFile(t, filepath.Join(dir, "guest-kernel.md"))
	if rows := strings.Count(text, "\n| q35 | ") + strings.Count(text, "\n| microvm | "); rows != 10 || strings.Contains(text, "NaN") {
		t.Errorf("%d figures of boots, want 10:\n%s", rows, text)
	}
}

// TestBenchBoot runs scripts/bench for the boot of the demo on both machine types. Emulation
// is measured on every machine.
func TestBenchBoot(t *testing.T) {
	harness.OnlyAll(t)
	dir := t.TempDir()
	harness.Must(t, harness.Root, "scripts/bench", "boot", "--rounds", "1", "--output", dir)
	text := harness.ReadFile(t, filepath.Join(dir, "boot.md"))
	if !strings.Contains(text, "\n| | tcg, q35 | tcg, microvm |") {
		t.Errorf("no columns of the two machine types:\n%s", text)
	}
	if rows := strings.Count(text, "\n| microvm-") + strings.Count(text, "\n| QEMU's") + strings.Count(text, "\n| processor"); rows != 5 || strings.Contains(text, "NaN") {
		t.Errorf("%d figures of boots, want 5:\n%s", rows, text)
	}
}
