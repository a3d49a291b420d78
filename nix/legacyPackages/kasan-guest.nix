# The demo with guest-kernel-kasan, for tests and benchmarks.
{ guest-kernel-kasan, mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm = machine: mkMicrovm (machine // { kernel = guest-kernel-kasan; });
}
