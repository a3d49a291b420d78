# `nix fmt`: treefmt with treefmt.toml, and the formatters that it runs. In a package set
# without nixfmt, treefmt skips the Nix files and prints so.
{
  go,
  gotools,
  runCommand,
  runtimeShell,
  shellcheck,
  shfmt,
  treefmt,
  nixfmt ? null,
}:
let
  formatters = [
    go
    gotools
    shellcheck
    shfmt
  ]
  ++ builtins.filter (tool: tool != null) [ nixfmt ];
  path = builtins.concatStringsSep ":" (map (package: "${package}/bin") formatters);
in
runCommand "treefmt" { meta.mainProgram = "treefmt"; } ''
  mkdir -p $out/bin
  cat >$out/bin/treefmt <<'END'
  #!${runtimeShell}
  PATH=${path}:$PATH
  exec ${treefmt}/bin/treefmt "$@"
  END
  chmod 555 $out/bin/treefmt
''
