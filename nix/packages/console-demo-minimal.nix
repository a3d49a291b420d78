# The demo on guest-kernel: the same guest without a single module.
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
