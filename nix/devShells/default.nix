# `nix develop`: what it takes to change, build and check this project.
{
  go,
  mkShell,
  qemu_kvm,
  shellcheck,
  deadnix ? null,
  nixfmt ? null,
  statix ? null,
}:
mkShell {
  packages = [
    go
    qemu_kvm
    shellcheck
  ]
  ++ builtins.filter (tool: tool != null) [
    deadnix
    nixfmt
    statix
  ];
}
