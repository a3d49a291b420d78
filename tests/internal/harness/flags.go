package harness

import "flag"

// The flags of every test process.
var (
	All    = flag.Bool("all", false, "run what takes minutes too, as the tests of the guest kernel")
	KVM    = flag.Bool("kvm", false, "run TestKVM, in a machine that QEMU emulates: minutes")
	Lines  = flag.Int("lines", 50_000, "how many lines TestExact has the guest print on each console")
	Long   = flag.Bool("long", false, "run the long form of TestTorture: minutes")
	Update = flag.Bool("update", false, "rewrite the golden files")
)
