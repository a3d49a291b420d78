# The demo under KVM, whatever the probe says of that: for the tests in kvm-host,
# which may be slower than the probe waits.
{ mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm = machine: mkMicrovm (machine // { accel = "kvm"; });
}
