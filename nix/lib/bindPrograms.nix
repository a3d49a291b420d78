# A package of our programs in which those that need a VM use this one.
{
  checkedVM,
  e2fsprogs,
  runCommand,
  runtimeShell,
  tools,
  virtiofsd,
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

  # mkfs.ext4 makes the VM's own disks, virtiofsd serves its shares. Go reports invalid shares.
  isVirtiofs = share: share.driver or null == "virtiofs";
  helpers = [
    e2fsprogs
  ]
  ++ (if builtins.any isVirtiofs (machine.shares or [ ]) then [ virtiofsd ] else [ ]);
  path = builtins.concatStringsSep ":" (map (helper: "${helper}/bin") helpers);
in
runCommand name { meta.mainProgram = "microvm-run"; } ''
  config=$out/share/microvm/vm.json
  install -D -m 444 ${checkedVM name machine} $config

  mkdir $out/bin
  ln -s ${tools}/bin/* $out/bin/
  wrap() {
    rm -f $out/bin/$1
    printf '%s\n' '#!${runtimeShell}' "''${@:2}" >$out/bin/$1
    chmod 555 $out/bin/$1
  }
  for program in ${toString bound}; do
    wrap $program 'export PATH="''${PATH:+$PATH:}${path}"' "exec ${tools}/bin/$program --config $config \"\$@\""
  done
  wrap run-qemu 'export QEMU="''${QEMU:-${machine.qemu}}"' 'exec ${tools}/bin/run-qemu "$@"'
  ln -s ${tools}/share/* $out/share/
''
