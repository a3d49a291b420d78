// Package flake tests the outputs of the flake: its checks, its modules, the package, and
// flakes of users.
package flake

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
