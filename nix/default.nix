# All outputs of one system, made from that system's package set.
#
# A directory here is an output, a file in it is one attribute, and the file's
# name is the attribute's name. Each file is a function that names what it needs:
# attributes of nixpkgs, of our own packages, or of nix/lib.
{ pkgs }:
let
  inherit (pkgs) lib;

  # What the files may ask for. Ours win over nixpkgs' of the same name.
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
}
