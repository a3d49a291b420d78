# The demo's vm.json equals the golden file, except for store paths.
{
  console-demo,
  runCommand,
  writeText,
}:
let
  golden = builtins.fromJSON (builtins.readFile ../../tests/flake/testdata/vm/console-demo.json);
in
runCommand "vm-json" { } ''
  lines() { sed -E 's|/nix/store/[^"]*/|/nix/store/…/|g; s/[,{]/&\n/g' $1; }
  diff -u --label golden <(lines ${writeText "golden" (builtins.toJSON golden)}) \
    --label vm.json <(lines ${console-demo}/share/microvm/vm.json)
  touch $out
''
