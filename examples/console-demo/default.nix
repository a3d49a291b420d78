# The console demo: a small Linux guest with a login on ttyS0 and on hvc0.
#
# config.nix is what you edit, qemu-consoles.nix explains the two consoles, and
# mkMicrovm makes a vm.json of both, with programs that run, test and stop it.
{ guest-initrd, mkMicrovm }:
let
  config = import ./config.nix;
in
mkMicrovm (
  removeAttrs config [ "ports" ]
  // {
    name = "console-demo";
    consoles = import ./qemu-consoles.nix config.ports;
    initrd = guest-initrd;
  }
)
