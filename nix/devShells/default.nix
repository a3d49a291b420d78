# `nix develop`: the programs that build, test, lint and format this project. A package
# set may lack those with a default.
{
  go,
  gotools,
  mkShell,
  qemu_kvm,
  shellcheck,
  shfmt,
  treefmt,
  deadnix ? null,
  golangci-lint ? null,
  gotestsum ? null,
  nixfmt ? null,
  statix ? null,
}:
mkShell {
  packages = [
    go
    gotools
    qemu_kvm
    shellcheck
    shfmt
    treefmt
  ]
  ++ builtins.filter (tool: tool != null) [
    deadnix
    golangci-lint
    gotestsum
    nixfmt
    statix
  ];
}
