# The flake uses exactly those attributes of nixpkgs that nix/nixpkgs-attributes.txt lists.
# The shorter the list, the more a build with tests/hostpkgs proves. A name with a
# question mark may be missing. The modules are excluded: they use the lib of the system
# that they are part of.
{ runCommand, writeText }:
let
  files =
    directory: map (name: directory + "/${name}") (builtins.attrNames (builtins.readDir directory));
  own = map (path: builtins.head (builtins.match ".*/(.*)\\.nix" (toString path))) (
    files ../lib ++ files ../packages
  );

  # The arguments of the files; the value is true for an argument with a default.
  arguments = map (path: builtins.functionArgs (import path)) (
    [ ../formatter.nix ]
    ++ builtins.concatMap files [
      ../apps
      ../checks
      ../devShells
      ../legacyPackages
      ../lib
      ../packages
    ]
  );
  used = removeAttrs (builtins.foldl' (all: these: all // these) { } arguments) own;
  names = map (name: if used.${name} then "${name}?" else name) (builtins.attrNames used);
in
runCommand "nixpkgs-attributes" { } ''
  {
    cat ${writeText "used" (builtins.concatStringsSep "\n" (names ++ [ "" ]))}
    grep -rhoP '\blib\.[a-z][A-Za-z]*\x27?' ${../.} ${../../flake.nix} --include='*.nix' --exclude-dir=modules
  } | sort -u >used
  diff -u ${../nixpkgs-attributes.txt} used
  cp used $out
''
