// Package guest tests a real guest in a real VM: its consoles, its agent, how it ends,
// run-test, kernels and KVM.
package guest

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
