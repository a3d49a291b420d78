# The Nix files are formatted and have no dead code and no known mistakes. A tool that the
# package set lacks is skipped, with a message.
{
  runCommand,
  deadnix ? null,
  nixfmt ? null,
  statix ? null,
}:
let
  source = builtins.path {
    path = ../..;
    name = "nix-files";
    filter = path: type: type == "directory" || builtins.match ".*\\.nix" path != null;
  };
  check =
    name: tool: command:
    if tool == null then
      "echo 'skipped: ${name}: not in this package set' | tee -a $out"
    else
      "${tool}/bin/${command} && echo 'passed: ${name}' | tee -a $out";
in
runCommand "formatting" { } ''
  cd ${source}
  ${check "nixfmt" nixfmt "nixfmt --check $(find . -name '*.nix')"}
  ${check "deadnix" deadnix "deadnix --fail ."}
  ${check "statix" statix "statix check ."}
''
