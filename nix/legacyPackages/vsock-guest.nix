# The demo with vsock in its guest, for the tests of the guest agent.
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
