# A package of our programs for one VM. A mistake in its vm.json fails the build, with the
# message that the program would print later.
#
# programs = "all": bin has every program, and those that need a VM use this one. "named": bin
# has one program with the name of the VM, so that a profile can have several VMs.
{
  runCommand,
  runtimeShell,
  tools,
  writeText,
}:
name: programs: machine:
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

  install = {
    all = ''
      ln -s ${tools}/bin/* $out/bin/
      for program in ${toString bound}; do
        wrap $program "exec ${tools}/bin/$program --config $config \"\$@\""
      done
      wrap run-qemu 'export QEMU="''${QEMU:-${machine.qemu}}"' 'exec ${tools}/bin/run-qemu "$@"'
      ln -s ${tools}/share/* $out/share/
    '';
    named = ''
      if [ -e ${tools}/bin/${name} ]; then
        echo 'name: "${name}" is the name of one of our programs (choose another, or programs = "all")' >&2
        exit 1
      fi
      wrap ${name} "exec ${tools}/libexec/microvm-named $config \"\$@\""
      bash ${../../scripts/manuals} $out/bin $out/share
    '';
  };
  file = if programs == "named" then "share/microvm/${name}/vm.json" else "share/microvm/vm.json";

  package =
    runCommand name { meta.mainProgram = if programs == "named" then name else "microvm-run"; }
      ''
        ln -s ${writeText "vm.json" (builtins.toJSON machine)} ${name}.json
        ${tools}/bin/microvm-run --config ${name}.json --check

        config=$out/${file}
        install -D -m 444 ${name}.json $config

        mkdir $out/bin
        wrap() {
          rm -f $out/bin/$1
          printf '%s\n' '#!${runtimeShell}' "''${@:2}" >$out/bin/$1
          chmod 555 $out/bin/$1
        }
        ${install.${programs}}
      '';
in
if install ? ${programs} then
  package
  // {
    vm = machine;
    vmJSON = "${package}/${file}";
  }
else
  throw "microvm ${name}: programs: \"${programs}\" is unknown (known: all, named)"
