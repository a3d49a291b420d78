# A package set for the evaluation of whole module systems with the real nixpkgs lib: the
# packages of tests/hostpkgs, and a name for each package that is only mentioned.
{ nixpkgsLib }:
let
  lib = import (nixpkgsLib + "/lib");
  host = (builtins.getFlake "path:${toString ../../hostpkgs}").legacyPackages.x86_64-linux;

  named = name: {
    inherit name;
    pname = name;
    version = "1";
    type = "derivation";
    outPath = "/none/${name}";
    drvPath = "/none/${name}.drv";
    meta.mainProgram = name;
  };
in
host
// lib.genAttrs [ "coreutils" "glibcLocales" "man" "shared-mime-info" "systemd" ] named
// {
  inherit lib;
  runCommandLocal = host.runCommand;
  writeTextFile = { name, ... }: named name;
  stdenv.hostPlatform = lib.systems.elaborate "x86_64-linux";

  # The contents of these files are not tested.
  formats =
    lib.genAttrs
      [
        "ini"
        "iniWithGlobalSection"
        "javaProperties"
        "json"
        "keyValue"
        "plist"
        "toml"
        "xml"
        "yaml"
      ]
      (
        format: _arguments: {
          type = lib.types.anything;
          lib.types.atom = lib.types.anything;
          generate = name: _value: named "${name}-${format}";
        }
      );

  # The part of a nixpkgs checkout that modules import.
  path = host.runCommand "nixpkgs" { } ''
    mkdir -p $out/nixos/modules/misc
    cp -r ${nixpkgsLib + "/lib"} $out/lib
    cp ${./assertions.nix} $out/nixos/modules/misc/assertions.nix
    cp ${./meta.nix} $out/nixos/modules/misc/meta.nix
  '';
}
