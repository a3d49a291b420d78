# What a build says of wrong options, to the letter. tests/wrong_options_test.go
# builds them.
{
  runCommand,
  tools,
  writeText,
}:
let
  least = {
    name = "own";
    kernel = runCommand "bzImage" { } "{ head -c 514 /dev/zero; printf HdrS; } >$out"; # its magic
    initrd = ./wrong-options.nix;
    qemu = "sh";
  };
  wrong = {
    "ports.console: 4441 is that of serial too (give each a port of its own)" = {
      ports.serial = 4441;
    };
    "ports.console: 70000 is out of range (1 to 65535)" = {
      ports.console = 70000;
    };
    "memory: unknown field (did you mean memoryMiB?)" = {
      memory = 128;
    };
    "memoryMiB: 16 is out of range (32 to 1048576)" = {
      memoryMiB = 16;
    };
    "checks[0].name: \"the VM starts\" is a check that run-test makes by itself (choose another name)" = {
      checks = [
        {
          name = "the VM starts";
          expect = "x";
        }
      ];
    };
    "consoles: is empty (at least one console is needed; left out, there are two)" = {
      consoles = [ ];
    };
    "kernel: / is no regular file (name a bzImage in vm.json)" = {
      kernel = "/";
    };
  };
  refuse = words: ''
    ln -sf ${writeText "vm.json" (builtins.toJSON (least // wrong.${words}))} own.json
    status=0
    ${tools}/bin/microvm-run --config own.json --check 2>told || status=$?
    echo ${builtins.toJSON "microvm-run: own.json: ${words}"} | diff - told
    [ $status = 2 ]
  '';
in
runCommand "wrong-options" { } ''
  ${builtins.concatStringsSep "\n" (map refuse (builtins.attrNames wrong))}
  touch $out
''
