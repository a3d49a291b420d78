# The demo on guest-kernel: the same guest without a single module.
{
  guest-kernel,
  mkGuestInitrd,
  mkMicrovm,
}:
import ../../examples/console-demo {
  guest-initrd = import ./guest-initrd.nix {
    mkGuestInitrd =
      image:
      mkGuestInitrd (
        image
        // {
          name = "guest-initrd-minimal";
          modules = [ ];
          optionalModules = [ ];
        }
      );
  };
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
