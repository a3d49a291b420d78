# What home-manager makes of settings with our module: the whole of it, with the
# real module system of nixpkgs.
{
  module,
  nixpkgsLib,
  homeManager,
  settings,
}:
let
  pkgs = import ./packages.nix { inherit nixpkgsLib; };
  inherit (pkgs) lib;

  inherit
    (import (homeManager + "/modules") {
      inherit lib pkgs;
      configuration = {
        imports = [ module ];
        _module.args.pkgs = lib.mkForce pkgs; # and not one made from nixpkgs
        home = {
          username = "tester";
          homeDirectory = "/home/tester";
          stateVersion = "26.05";
        };
        services.qemu-relay = settings;
      };
    })
    config
    ;
  files = lib.mapAttrs (_name: file: file.source) (
    lib.filterAttrs (name: _file: lib.hasInfix "qemu" name) config.xdg.configFile
  );
in
{
  inherit files;
  packages = lib.filter (lib.hasPrefix "microvm") (map lib.getName config.home.packages);
  builds = lib.unique (
    lib.concatMap (file: lib.attrNames (builtins.getContext "${file}")) (lib.attrValues files)
  );
}
