# A guest image: busybox, the drivers of its consoles, and a login on each.
#
# Nix only says what goes in; microvm-initrd finds the modules' dependencies,
# decompresses them and writes the archive, the same bytes every time.
{
  busybox,
  lib,
  linuxPackages,
  runCommand,
  tools,
  writeText,
}:
{
  hostname,
  name ? "guest-initrd",
  kernel ? linuxPackages.kernel,
  # A login on each of these. A guest without one on hvc0 has the device all
  # the same: the kernel makes it, whoever uses it.
  gettys ? [
    "ttyS0"
    "hvc0"
  ],
  # Both transports, so that one image boots on either machine type: microvm has
  # virtio-mmio, q35 has virtio-pci. evdev reads the power button.
  modules ? [
    "virtio_pci"
    "virtio_mmio"
    "virtio_console"
    "button"
    "evdev"
  ],
  # Taken where the kernel has them: they tell QEMU of a panic.
  optionalModules ? [
    "pvpanic_mmio"
    "pvpanic_pci"
  ],
  # The guest agent, a static program. "": none.
  agent ? "${tools}/libexec/microvm-agent",
  # { path, mode } with either text or source, a file to copy.
  files ? [ ],
}:
let
  image = {
    inherit
      hostname
      agent
      gettys
      modules
      optionalModules
      files
      ;
    busybox = "${busybox.override { enableStatic = true; }}/bin/busybox";
    modulesDir = "${lib.getOutput "modules" kernel}/lib/modules";
  };
in
runCommand name { } ''
  mkdir $out
  ${tools}/bin/microvm-initrd --output $out/initrd ${writeText "image.json" (builtins.toJSON image)}
''
