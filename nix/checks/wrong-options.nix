# A build with wrong options fails with the messages of the program, all of them at once.
# The mistakes themselves are tested in go/internal/vmconfig.
{
  runCommand,
  tools,
  writeText,
}:
let
  wrong = {
    name = "own";
    kernel = runCommand "bzImage" { } "{ head -c 514 /dev/zero; printf HdrS; } >$out"; # its magic
    initrd = ./wrong-options.nix;
    qemu = "sh";
    memory = 128;
    checks = [
      {
        name = "the VM starts";
        expect = "x";
      }
    ];
  };
in
runCommand "wrong-options" { } ''
  ln -s ${writeText "vm.json" (builtins.toJSON wrong)} own.json
  status=0
  ${tools}/bin/microvm-run --config own.json --check 2>printed || status=$?
  diff - printed <<'END'
  microvm-run: own.json: memory: unknown field (did you mean memoryMiB?)
  microvm-run: own.json: checks[0].name: "the VM starts" is the name of a check of run-test (choose another name)
  END
  [ $status = 2 ]
  touch $out
''
