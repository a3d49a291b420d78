// Package flake tests what Nix evaluates and builds: the checks of the flake, its modules,
// the package, and the flake of a user.
package flake

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
