# Our packages and functions, made from the package set that the overlay extends:
# pkgs.microvm-console.mkMicrovm, pkgs.microvm-console.tools, …
final: _prev:
let
  outputs = import ./. { pkgs = final; };
in
{
  microvm-console = outputs.packages // {
    inherit (outputs.lib) mkGuestInitrd mkMicrovm;
  };
}
