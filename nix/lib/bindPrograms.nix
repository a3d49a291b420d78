# A package of our programs for one VM.
#
# programs = "all": bin has every program, and those that need a VM use this one. "named": bin
# has one program with the name of the VM, so that a profile can have several VMs.
{
  checkedVM,
  e2fsprogs,
  runCommand,
  runtimeShell,
  tools,
  virtiofsd,
}:
name: programs: machine:
let
  # The programs that take --config.
  bound = [
    "connect-console"
    "connect-serial"
    "console-log"
    "console-status"
    "microvm-crash"
    "microvm-exec"
    "microvm-run"
    "microvm-shutdown"
    "run-test"
  ];

  # mkfs.ext4 makes the VM's own disks, virtiofsd serves its shares. Go reports invalid shares.
  isVirtiofs = share: share.driver or null == "virtiofs";
  helpers = [
    e2fsprogs
  ]
  ++ (if builtins.any isVirtiofs (machine.shares or [ ]) then [ virtiofsd ] else [ ]);
  path = builtins.concatStringsSep ":" (map (helper: "${helper}/bin") helpers);

  install = {
    all = ''
      ln -s ${tools}/bin/* $out/bin/
      for program in ${toString bound}; do
        wrap $program "$path" "exec ${tools}/bin/$program --config $config \"\$@\""
      done
      wrap run-qemu 'export QEMU="''${QEMU:-${machine.qemu}}"' 'exec ${tools}/bin/run-qemu "$@"'
      ln -s ${tools}/share/* $out/share/
    '';
    named = ''
      if [ -e ${tools}/bin/${name} ]; then
        echo 'name: "${name}" is the name of one of our programs (choose another, or programs = "all")' >&2
        exit 1
      fi
      wrap ${name} "$path" "exec ${tools}/libexec/microvm-named $config \"\$@\""
      bash ${../../scripts/manuals} $out/bin $out/share
    '';
  };
  # Beside vm.json is the program of a service, which starts the VM of any vm.json.
  dir = if programs == "named" then "share/microvm/${name}" else "share/microvm";

  package =
    runCommand name { meta.mainProgram = if programs == "named" then name else "microvm-run"; }
      ''
        config=$out/${dir}/vm.json
        install -D -m 444 ${checkedVM name machine} $config

        mkdir $out/bin
        path='export PATH="''${PATH:+$PATH:}${path}"'
        script() {
          rm -f $1
          printf '%s\n' '#!${runtimeShell}' "''${@:2}" >$1
          chmod 555 $1
        }
        wrap() { script $out/bin/"$@"; }
        script $out/${dir}/microvm-run "$path" "exec ${tools}/bin/microvm-run \"\$@\""
        ${install.${programs}}
      '';
in
if install ? ${programs} then
  package
  // {
    vm = machine;
    vmJSON = "${package}/${dir}/vm.json";
    microvmRun = "${package}/${dir}/microvm-run";
  }
else
  throw "microvm ${name}: programs: \"${programs}\" is unknown (known: all, named)"
