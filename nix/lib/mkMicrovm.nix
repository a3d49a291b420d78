# A microVM as a package: its vm.json, its guest image, and our programs bound to it.
#
# The options are the fields of vm.json, and `guest`. Go code defines their meaning, their
# defaults and what is a mistake. Nix fills in the store paths.
{
  bindPrograms,
  bootFile,
  checkedVM,
  lib,
  linuxPackages,
  mkGuestInitrd,
  qemu_kvm,
  stdenv,
}:
{
  name ? "",
  # A package, or the path of a bzImage.
  kernel ? linuxPackages.kernel,
  # The fields of mkGuestInitrd, for a VM that does not set initrd: a path, a package that
  # contains the file, or null for no initrd.
  guest ? { },
  ...
}@machine:
let
  # The name of a store path may not have every character. Go checks the VM's name.
  called = if builtins.match "[A-Za-z0-9_-]+" (toString name) != null then name else "microvm";
  boot = bootFile called;

  image = mkGuestInitrd (
    {
      name = "${called}-guest";
      hostname = called;
      inherit kernel;
      # Its drivers and logins follow from the VM.
      vm = checkedVM called vm;
    }
    // guest
  );
  initrd = machine.initrd or image;

  # The VM without its initrd. The modules are in the closure of a VM only if the driver of a
  # share is chosen by them.
  vm =
    lib.optionalAttrs (machine ? shares && kernel ? modules) {
      modulesDir = "${kernel.modules}/lib/modules";
    }
    // removeAttrs machine [
      "guest"
      "initrd"
    ]
    // {
      qemu = machine.qemu or "${qemu_kvm}/bin/qemu-system-${stdenv.hostPlatform.qemuArch}";
      kernel = boot "kernel" (kernel.target or stdenv.hostPlatform.linux-kernel.target) kernel;
    };
in
if machine ? initrd && guest != { } then
  throw "microvm ${called}: guest: initrd is set too (remove one of the two)"
else
  bindPrograms called (
    vm // lib.optionalAttrs (initrd != null) { initrd = boot "initrd" "initrd" initrd; }
  )
  // {
    inherit initrd;
  }
