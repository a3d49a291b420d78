# A microVM as a package: its vm.json, and our programs bound to it.
#
# What a field means and what it is when left out is decided in Go, where
# vm.json is read. Here only the store paths are filled in.
{
  linuxPackages,
  qemu_kvm,
  runCommand,
  runtimeShell,
  stdenv,
  tools,
  writeText,
}:
{
  name,
  initrd,
  kernel ? linuxPackages.kernel,
  ...
}@machine:
let
  inherit (stdenv) hostPlatform;

  qemu = "${qemu_kvm}/bin/qemu-system-${hostPlatform.qemuArch}";

  # The programs that need to be told which VM is meant.
  bound = [
    "connect-console"
    "connect-serial"
    "console-status"
    "microvm-exec"
    "microvm-run"
    "microvm-shutdown"
    "run-test"
  ];

  vmJSON = writeText "vm.json" (
    builtins.toJSON (
      machine
      // {
        kernel = "${kernel}/${kernel.target or hostPlatform.linux-kernel.target}";
        initrd = "${initrd}/initrd";
        inherit qemu;
      }
    )
  );
in
runCommand name { meta.mainProgram = "microvm-run"; } ''
  config=$out/share/microvm/vm.json
  install -D -m 444 ${vmJSON} $config

  # A mistake in the configuration is a failed build, with the very message
  # that the program would give later.
  ${tools}/bin/microvm-run --config $config --check

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
  wrap run-qemu 'export QEMU="''${QEMU:-${qemu}}"' 'exec ${tools}/bin/run-qemu "$@"'
  ln -s ${tools}/share/* $out/share/
''
