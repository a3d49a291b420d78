package guest

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestPictures draws the pictures of the documents.
func TestPictures(t *testing.T) {
	minimalDemo(t)
	folder := t.TempDir()
	harness.Must(t, harness.Root, "scripts/picture", folder)
	for name, wanted := range map[string][]string{
		"boot":    {">console-demo on q35, ", ">ttyS0<", ">hvc0<", ">QEMU starts<", ">first byte on ", ">kernel, ", ">init, ", ">ready: login on ", ">login on ", ">tty is right on hvc0, "},
		"minimal": {">console-demo-minimal on q35, ", ">kernel, ", ">ready: login on "},
		"panic":   {": failed<", ", panicked: Kernel panic", ">panic: Kernel panic - not syncing: sysrq triggered crash", ">the guest has one processor, ", ">failed: the driver works, "},
	} {
		text := harness.ReadFile(t, filepath.Join(folder, name+".svg"))
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("%s.svg has no %q:\n%s", name, want, text)
			}
		}
	}
}
