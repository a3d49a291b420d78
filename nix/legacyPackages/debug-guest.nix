# The demo with guest-kernel-debug, for tests and benchmarks.
{ guest-kernel-debug, mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm = machine: mkMicrovm (machine // { kernel = guest-kernel-debug; });
}
