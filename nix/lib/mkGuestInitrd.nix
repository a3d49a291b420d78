# A guest image: busybox, the drivers of its VM's devices, and a login on each console.
#
# Nix only selects the contents. microvm-initrd finds the modules' dependencies,
# decompresses them and writes the archive, the same bytes every time. It also checks the
# fields (image.json), and rejects unknown ones.
{
  busybox,
  lib,
  linuxPackages,
  runCommand,
  tools,
  writeText,
}:
{
  name ? "guest-initrd",
  # The kernel of the guest. A kernel package without modules, or a path, must have the
  # drivers built in, unless modulesDir is set.
  kernel ? linuxPackages.kernel,
  ...
}@fields:
let
  drivers = {
    # Both transports, so that one image boots on either machine type: microvm
    # has virtio-mmio, q35 has virtio-pci. evdev delivers the power button.
    modules = [
      "virtio_pci"
      "virtio_mmio"
      "virtio_console"
      "button"
      "evdev"
    ];
    # Included if the kernel has them: they notify QEMU of a panic.
    optionalModules = [
      "pvpanic_mmio"
      "pvpanic_pci"
    ];
  };

  image = {
    busybox = "${busybox.override { enableStatic = true; }}/bin/busybox";
    # agent = "" omits the guest agent.
    agent = "${tools}/libexec/microvm-agent";
  }
  // lib.optionalAttrs (kernel ? modules || fields ? modulesDir) drivers
  // lib.optionalAttrs (kernel ? modules) { modulesDir = "${kernel.modules}/lib/modules"; }
  // removeAttrs fields [
    "kernel"
    "name"
  ];
in
runCommand name { } ''
  mkdir $out
  ln -s ${writeText "image.json" (builtins.toJSON image)} ${name}.json
  ${tools}/bin/microvm-initrd --output $out/initrd ${name}.json
''
