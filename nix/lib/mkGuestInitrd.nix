# A guest image: busybox, the drivers of its consoles, and a login on each.
#
# Nix only says what goes in; microvm-initrd finds the modules' dependencies,
# decompresses them and writes the archive, the same bytes every time. It also
# knows the fields (image.json), and refuses what is none.
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
  # The kernel that it is for. One without modules, or of which only the file is
  # given, has its drivers built in, unless modulesDir names others.
  kernel ? linuxPackages.kernel,
  ...
}@fields:
let
  drivers = {
    # Both transports, so that one image boots on either machine type: microvm
    # has virtio-mmio, q35 has virtio-pci. evdev reads the power button.
    modules = [
      "virtio_pci"
      "virtio_mmio"
      "virtio_console"
      "button"
      "evdev"
    ];
    # Taken where the kernel has them: they tell QEMU of a panic.
    optionalModules = [
      "pvpanic_mmio"
      "pvpanic_pci"
    ];
  };

  image = {
    busybox = "${busybox.override { enableStatic = true; }}/bin/busybox";
    # agent = "" leaves the guest agent out.
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
