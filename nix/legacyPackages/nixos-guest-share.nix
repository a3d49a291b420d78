# The VM nixos-guest with the store of the host.
{
  mkMicrovm,
  nixos ? throw "nixos-guest: this package set has no NixOS (build it with nixpkgs)",
  runCommand,
}:
import ./nixos-guest.nix {
  inherit nixos runCommand;
  mkMicrovm = machine: mkMicrovm (machine // { nixosStore = "share"; });
}
