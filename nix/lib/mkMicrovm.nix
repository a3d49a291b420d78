# A microVM as a package: its vm.json, its guest image, and our programs bound to it.
#
# The options are the fields of vm.json, and `guest`. Go code defines their meaning, their
# defaults and what is a mistake. Nix fills in the store paths.
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
  # The fields of mkGuestInitrd, for a VM that does not set initrd: a path, a package that
  # contains the file, or null for no initrd.
  guest ? { },
  # What starts instead of a kernel. image.path is a package or a path.
  image ? null,
  ...
}@machine:
let
  # The name of a store path may not have every character. Go checks the VM's name.
  called = if builtins.match "[A-Za-z0-9_-]+" (toString name) != null then name else "microvm";
  boot = bootFile called;

  # The guest runs a login on each console that has one. Go reports invalid consoles.
  devices = map (console: toString (console.device or "")) (
    builtins.filter (console: console.login or true != false) consoles
  );
  isDevice = device: builtins.match "(ttyS|hvc)[0-9]" device != null;
  gettys = builtins.attrNames (lib.genAttrs (builtins.filter isDevice devices) (_device: null));

  guestImage = mkGuestInitrd (
    {
      name = "${called}-guest";
      hostname = called;
      inherit kernel;
    }
    // lib.optionalAttrs (gettys != [ ]) { inherit gettys; }
    // guest
  );
  initrd = machine.initrd or (if image == null then guestImage else null);

  # A file in the store is never written to.
  imageFile = {
    snapshot = true;
  }
  // image
  // lib.optionalAttrs (image ? path) {
    path =
      if image.path.type or null == "derivation" then
        "${image.path}"
      else
        boot "image" "" image.path;
  };

  storePaths = {
    qemu = machine.qemu or "${qemu_kvm}/bin/qemu-system-${stdenv.hostPlatform.qemuArch}";
  }
  // lib.optionalAttrs (image == null || machine ? kernel) {
    kernel = boot "kernel" (kernel.target or stdenv.hostPlatform.linux-kernel.target) kernel;
  }
  // lib.optionalAttrs (image != null) { image = imageFile; }
  // lib.optionalAttrs (initrd != null) { initrd = boot "initrd" "initrd" initrd; };
  given = removeAttrs machine [
    "guest"
    "initrd"
  ];
in
if machine ? initrd && guest != { } then
  throw "microvm ${called}: guest: initrd is set too (remove one of the two)"
else
  bindPrograms called (given // storePaths) // { inherit initrd; }
