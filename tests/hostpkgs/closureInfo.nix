# nixpkgs' closureInfo: store-paths lists the store paths that some paths refer to, and these
# paths themselves.
{ runCommand }:
{ rootPaths }:
let
  number = builtins.length rootPaths;
  graph = i: [
    "graph-${toString i}"
    "${builtins.elemAt rootPaths i}"
  ];
in
runCommand "closure-info"
  {
    exportReferencesGraph = builtins.concatLists (builtins.genList graph number);
  }
  ''
    mkdir $out
    cat "$NIX_BUILD_TOP"/graph-* | { grep '^/nix/store/' || :; } | sort --unique >$out/store-paths
  ''
