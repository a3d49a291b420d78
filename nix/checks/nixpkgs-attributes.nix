# The flake takes from nixpkgs what nix/nixpkgs-attributes.txt lists, and nothing
# else. The shorter that list, the more a build with tests/hostpkgs proves; a
# name with a question mark may be missing. The modules do not count: they are
# given the lib of the system that they are part of.
{ runCommand, writeText }:
let
  files =
    directory: map (name: directory + "/${name}") (builtins.attrNames (builtins.readDir directory));
  own = map (path: builtins.head (builtins.match ".*/(.*)\\.nix" (toString path))) (
    files ../lib ++ files ../packages
  );

  # What the files name as their arguments; true for one with a default.
  arguments = map (path: builtins.functionArgs (import path)) (
    [ ../formatter.nix ]
    ++ builtins.concatMap files [
      ../apps
      ../checks
      ../devShells
      ../lib
      ../packages
    ]
  );
  asked = removeAttrs (builtins.foldl' (all: these: all // these) { } arguments) own;
  names = map (name: if asked.${name} then "${name}?" else name) (builtins.attrNames asked);
in
runCommand "nixpkgs-attributes" { } ''
  {
    cat ${writeText "asked" (builtins.concatStringsSep "\n" (names ++ [ "" ]))}
    grep -rhoP '\blib\.[a-z][A-Za-z]*\x27?' ${../.} ${../../flake.nix} --include='*.nix' --exclude-dir=modules
  } | sort -u >used
  diff -u ${../nixpkgs-attributes.txt} used
  cp used $out
''
