# What the real home-manager, with all its modules and nixpkgs' module system, makes of
# settings of our module.
{
  module,
  nixpkgsLib,
  homeManager,
  settings ? { },
  vms ? { },
}:
let
  pkgs = import ./packages.nix { inherit nixpkgsLib; };
  inherit (pkgs) lib;

  inherit
    (import (homeManager + "/modules") {
      inherit lib pkgs;
      configuration = {
        imports = [ module ];
        _module.args.pkgs = lib.mkForce pkgs; # instead of one from nixpkgs
        home = {
          username = "tester";
          homeDirectory = "/home/tester";
          stateVersion = "26.05";
        };
        services.qemu-relay = settings;
        services.microvm-console.vms = vms;
      };
    })
    config
    ;
  files = lib.mapAttrs (_name: file: file.source) (
    lib.filterAttrs (name: _file: lib.hasInfix "qemu" name || lib.hasInfix "microvm" name) config.xdg.configFile
  );
in
{
  inherit files;
  packages = lib.filter (lib.hasPrefix "microvm") (map lib.getName config.home.packages);
  builds = lib.unique (
    lib.concatMap (file: lib.attrNames (builtins.getContext "${file}")) (lib.attrValues files)
  );
}
