// Package guest tests real guests in real VMs: consoles, the guest agent, ways to stop a VM,
// run-test, kernels and KVM.
package guest

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
