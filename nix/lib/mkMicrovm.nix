# A microVM as a package: its vm.json, its guest image, and our programs bound to it.
#
# The options are the fields of vm.json, `guest`, `programs`, and `nixos` and `nixosStore` for a
# NixOS guest (nixosGuest.nix). Go code defines the meaning of the fields, their defaults and
# what is a mistake. Nix fills in the store paths.
{
  bindPrograms,
  bootFile,
  checkedVM,
  lib,
  linuxPackages,
  mkGuestInitrd,
  nixosGuest,
  qemu_kvm,
  stdenv,
  storeDisk,
}:
{
  name ? "",
  # A package, or the path of a bzImage.
  kernel ? linuxPackages.kernel,
  # The fields of mkGuestInitrd, for a VM that does not set initrd: a path, a package that
  # contains the file, or null for no initrd.
  guest ? { },
  # "all" or "named"; see bindPrograms.nix.
  programs ? "all",
  # What starts instead of a kernel. image.path is a package or a path.
  image ? null,
  ...
}@machine:
let
  # The name of a store path may not have every character. Go checks the VM's name.
  called = if builtins.match "[A-Za-z0-9_-]+" (toString name) != null then name else "microvm";
  boot = bootFile called;

  guestImage = mkGuestInitrd (
    {
      name = "${called}-guest";
      hostname = called;
      inherit kernel;
      # Its drivers and logins follow from the VM.
      vm = checkedVM called vm;
    }
    // guest
    // lib.optionalAttrs (packages != [ ]) { inherit packages; }
  );

  # guest.packages are on a disk, with all that they need, and not in the initrd.
  packages = map (package: package.bin or package) (guest.packages or [ ]);
  packagesDisk = {
    name = "packages";
    path = "${storeDisk "${called}-packages" packages}";
    readOnly = true;
    fs = "erofs";
    target = "/nix/store";
  };

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

  nixos = nixosGuest called machine;

  # An option that is for a NixOS guest is an unknown field without nixos.
  options = [
    "guest"
    "initrd"
    "programs"
  ]
  ++ (
    if machine ? nixos then
      [
        "nixos"
        "nixosStore"
      ]
    else
      [ ]
  );

  # The VM without the initrd of a guest image. The modules are in the closure of a VM only if the
  # driver of a share is chosen by them.
  vm =
    lib.optionalAttrs (machine ? shares && kernel ? modules) {
      modulesDir = "${kernel.modules}/lib/modules";
    }
    // removeAttrs machine options
    // lib.optionalAttrs (packages != [ ]) { disks = machine.disks or [ ] ++ [ packagesDisk ]; }
    // {
      qemu = machine.qemu or "${qemu_kvm}/bin/qemu-system-${stdenv.hostPlatform.qemuArch}";
    }
    // lib.optionalAttrs (image != null) { image = imageFile; }
    // lib.optionalAttrs (image == null || machine ? kernel) {
      kernel = boot "kernel" (kernel.target or stdenv.hostPlatform.linux-kernel.target) kernel;
    };
in
if machine ? nixos then
  bindPrograms called programs (removeAttrs vm [ "modulesDir" ] // nixos.fields)
  // {
    nixos = nixos.system;
  }
else if machine ? initrd && guest != { } then
  throw "microvm ${called}: guest: initrd is set too (remove one of the two)"
else
  bindPrograms called programs (
    vm // lib.optionalAttrs (initrd != null) { initrd = boot "initrd" "initrd" initrd; }
  )
  // {
    inherit initrd;
  }
