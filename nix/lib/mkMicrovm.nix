# A microVM as a package: its vm.json, its guest image, and our programs bound to it.
#
# The options are the fields of vm.json, and `guest`. What they mean, what they are
# when left out and what is a mistake is decided in Go. Here store paths are filled in.
{
  bindPrograms,
  bootFile,
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
  consoles ? [ ],
  # The fields of mkGuestInitrd, for a VM without an initrd of its own. That is a
  # path, a package that holds it, or null for none.
  guest ? { },
  ...
}@machine:
let
  # Store paths have a rule of their own for names; machines' is told in Go.
  called = if builtins.match "[A-Za-z0-9_-]+" (toString name) != null then name else "microvm";
  boot = bootFile called;

  # A login on each console that has one. What is no console is told in Go.
  devices = map (console: toString (console.device or "")) (
    builtins.filter (console: console.login or true != false) consoles
  );
  isDevice = device: builtins.match "(ttyS|hvc)[0-9]" device != null;
  gettys = builtins.attrNames (lib.genAttrs (builtins.filter isDevice devices) (_device: null));

  image = mkGuestInitrd (
    {
      name = "${called}-guest";
      hostname = called;
      inherit kernel;
    }
    // lib.optionalAttrs (gettys != [ ]) { inherit gettys; }
    // guest
  );
  initrd = machine.initrd or image;

  storePaths = {
    qemu = machine.qemu or "${qemu_kvm}/bin/qemu-system-${stdenv.hostPlatform.qemuArch}";
    kernel = boot "kernel" (kernel.target or stdenv.hostPlatform.linux-kernel.target) kernel;
  }
  // lib.optionalAttrs (initrd != null) { initrd = boot "initrd" "initrd" initrd; };
  given = removeAttrs machine [
    "guest"
    "initrd"
  ];
in
if machine ? initrd && guest != { } then
  throw "microvm ${called}: guest: this VM has its own initrd (leave one of the two out)"
else
  bindPrograms called (given // storePaths) // { inherit initrd; }
