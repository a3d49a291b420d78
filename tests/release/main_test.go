// Package release tests what scripts/build makes: the tarball with its install.sh, and the
// Debian package. scripts/try-install uses both on a Debian with neither Go nor Nix.
package release

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
