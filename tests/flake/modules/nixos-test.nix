# The machine of nix/checks/nixos.nix, evaluated by the real module system, with
# declarations of the options that it sets.
{
  nixpkgsLib,
  tools,
}:
let
  pkgs = import ./packages.nix { inherit nixpkgsLib; };
  inherit (pkgs) lib;

  test = import ../../../nix/checks/nixos.nix {
    inherit (pkgs) qemu_kvm runCommand;
    inherit tools;
    testers.runNixOSTest = lib.id;
  };
  user = lib.types.submodule {
    options = {
      isNormalUser = lib.mkEnableOption "a person";
      linger = lib.mkEnableOption "services without a login";
      uid = lib.mkOption { type = lib.types.int; };
    };
  };
  nixos = import ./nixos.nix {
    inherit nixpkgsLib;
    module = {
      imports = [ test.nodes.machine ];
      options.users.users = lib.mkOption { type = lib.types.attrsOf user; };
    };
    settings = { };
  };
in
{
  inherit (test) name testScript;
  inherit (nixos) packages services;
}
