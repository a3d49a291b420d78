package harness

import (
	"flag"
	"testing"
)

// OnlyAll skips a test that takes minutes, unless all is asked for.
func OnlyAll(t *testing.T) {
	t.Helper()
	if !*All {
		Skip(t, "all", "it takes minutes (scripts/test --all runs it)")
	}
}

var Lines = flag.Int("lines", 50_000, "how many lines TestExact has the guest print on each console")

var All = flag.Bool("all", false, "build what takes minutes: the guest kernel")

var Update = flag.Bool("update", false, "rewrite the golden files")

var KVM = flag.Bool("kvm", false, "run TestKVM, in a machine that QEMU emulates: minutes")

var Long = flag.Bool("long", false, "run the long form of TestTorture: minutes")
