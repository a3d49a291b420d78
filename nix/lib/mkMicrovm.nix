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

  # The programs that need to be told which VM is meant.
  programs = [
    "connect-console"
    "connect-serial"
    "console-status"
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
        qemu = "${qemu_kvm}/bin/qemu-system-${hostPlatform.qemuArch}";
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
  for program in ${toString programs}; do
    echo "#!${runtimeShell}" >$out/bin/$program
    echo "exec ${tools}/bin/$program --config $config \"\$@\"" >>$out/bin/$program
    chmod 555 $out/bin/$program
  done
  ln -s ${tools}/share/* $out/share/
''
