# The demo with guest-kernel-full, for tests and benchmarks.
{ guest-kernel-full, mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm = machine: mkMicrovm (machine // { kernel = guest-kernel-full; });
}
