# The demo with a guest that has vsock, which the tests of the agent start.
{ mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm =
    machine:
    mkMicrovm (
      machine
      // {
        guest.optionalModules = [
          "vmw_vsock_virtio_transport"
          "vsock_loopback"
        ];
      }
    );
}
