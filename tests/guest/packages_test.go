package guest

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestPackagesAndServices tests a guest with guest.packages and guest.services: see the checks in
// nix/legacyPackages/packages-guest.nix. The packages are not in the initrd.
func TestPackagesAndServices(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	guest := harness.Build(t, "packages-guest")
	output := harness.Must(t, harness.Root, filepath.Join(guest, "bin", "run-test"), "--timeout", "60s", "--lines", "1000")
	if !strings.Contains(output, "\n15 passed, 0 failed") {
		t.Error(output)
	}
	var initrd string
	harness.ChangedVM(t, guest, func(vm map[string]any) { initrd = vm["initrd"].(string) })
	if strings.Contains(harness.ReadFile(t, initrd), "text of a package") {
		t.Error("the initrd has the content of a package")
	}
}
