# The demo with guest-kernel: the same guest without modules.
{ guest-kernel, mkMicrovm }:
import ../../examples/console-demo {
  mkMicrovm =
    machine:
    mkMicrovm (
      machine
      // {
        name = "console-demo-minimal";
        kernel = guest-kernel;
      }
    );
}
