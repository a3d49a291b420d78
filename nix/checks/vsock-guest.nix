# The demo with a guest that has vsock, which the tests of the agent start.
{ mkGuestInitrd, mkMicrovm }:
import ../../examples/console-demo {
  inherit mkMicrovm;
  guest-initrd = mkGuestInitrd {
    hostname = "vsock";
    optionalModules = [
      "vmw_vsock_virtio_transport"
      "vsock_loopback"
    ];
  };
}
