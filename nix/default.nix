# All outputs for one system, made from the package set of that system.
#
# A directory here is an output, a file in it is one attribute, and the name of the
# file is the name of the attribute. Each file is a function whose arguments are the
# attributes that it uses: of nixpkgs, of our own packages, or of nix/lib.
{ pkgs }:
let
  inherit (pkgs) lib;

  # What the files may use. Our attributes replace those of nixpkgs of the same name.
  scope = pkgs // library // packages;

  # An argument with a default may be missing from the package set.
  call =
    file:
    let
      function = import file;
    in
    function (builtins.intersectAttrs (builtins.functionArgs function) scope);

  directory =
    path:
    lib.mapAttrs' (name: _type: {
      name = lib.removeSuffix ".nix" name;
      value = call (path + "/${name}");
    }) (builtins.readDir path);

  library = directory ./lib;
  packages = directory ./packages;
in
{
  inherit packages;
  lib = library;
  apps = directory ./apps;
  checks = directory ./checks;
  devShells = directory ./devShells;
  formatter = call ./formatter.nix;

  # VMs that only the tests start: neither packages for users nor checks.
  legacyPackages = directory ./legacyPackages;
}
