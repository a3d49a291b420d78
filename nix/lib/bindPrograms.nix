# A package of our programs in which those that need a VM use this one. A mistake in its
# vm.json fails the build, with the message that the program would print later.
{
  runCommand,
  runtimeShell,
  tools,
  writeText,
}:
name: machine:
let
  # The programs that take --config.
  bound = [
    "connect-console"
    "connect-serial"
    "console-log"
    "console-status"
    "microvm-exec"
    "microvm-run"
    "microvm-shutdown"
    "run-test"
  ];
in
runCommand name { meta.mainProgram = "microvm-run"; } ''
  ln -s ${writeText "vm.json" (builtins.toJSON machine)} ${name}.json
  ${tools}/bin/microvm-run --config ${name}.json --check

  config=$out/share/microvm/vm.json
  install -D -m 444 ${name}.json $config

  mkdir $out/bin
  ln -s ${tools}/bin/* $out/bin/
  wrap() {
    rm -f $out/bin/$1
    printf '%s\n' '#!${runtimeShell}' "''${@:2}" >$out/bin/$1
    chmod 555 $out/bin/$1
  }
  for program in ${toString bound}; do
    wrap $program "exec ${tools}/bin/$program --config $config \"\$@\""
  done
  wrap run-qemu 'export QEMU="''${QEMU:-${machine.qemu}}"' 'exec ${tools}/bin/run-qemu "$@"'
  ln -s ${tools}/share/* $out/share/
''
