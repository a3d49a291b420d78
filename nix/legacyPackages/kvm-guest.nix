# The demo under KVM, without the probe of KVM. TestKVM starts it in kvm-host, which may be
# slower than the probe waits.
{ mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm = machine: mkMicrovm (machine // { accel = "kvm"; });
}
