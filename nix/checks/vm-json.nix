# The demo's vm.json is that of the golden file, store paths aside.
{ console-demo, runCommand }:
let
  golden = builtins.fromJSON (builtins.readFile ../../tests/testdata/vm/console-demo.json);
in
runCommand "vm-json" { } ''
  lines() { sed -E 's|/nix/store/[^"]*/|/nix/store/…/|g; s/[,{]/&\n/g'; }
  diff -u --label golden <(lines <<<'${builtins.toJSON golden}') \
    --label vm.json <(lines <${console-demo}/share/microvm/vm.json)
  touch $out
''
