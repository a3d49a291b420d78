# A microVM as a package: its vm.json, its guest image, and our programs bound to it.
#
# The options are the fields of vm.json, `guest`, `programs`, and `nixos` and `nixosStore` for a
# NixOS guest (nixosGuest.nix). Go code defines the meaning of the fields, their defaults and
# what is a mistake. Nix fills in the store paths.
{
  bindPrograms,
  bootFile,
  lib,
  linuxPackages,
  mkGuestInitrd,
  nixosGuest,
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
  # "all" or "named"; see bindPrograms.nix.
  programs ? "all",
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

  nixos = nixosGuest called machine;

  started =
    if machine ? nixos then
      nixos.fields
    else
      {
        kernel = boot "kernel" (kernel.target or stdenv.hostPlatform.linux-kernel.target) kernel;
      }
      // lib.optionalAttrs (initrd != null) { initrd = boot "initrd" "initrd" initrd; };

  # An option that is for a NixOS guest is an unknown field without nixos.
  given = removeAttrs machine (
    [
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
    )
  );
  qemu = machine.qemu or "${qemu_kvm}/bin/qemu-system-${stdenv.hostPlatform.qemuArch}";
  package = bindPrograms called programs (given // { inherit qemu; } // started);
in
if machine ? nixos then
  package // { nixos = nixos.system; }
else if machine ? initrd && guest != { } then
  throw "microvm ${called}: guest: initrd is set too (remove one of the two)"
else
  package // { inherit initrd; }
