# What NixOS has to know of its VM: the name, where the disks and shares with a target are
# mounted, and on which consoles root cannot log in. The VM's disks and shares are those of
# vm.json, with /nix/store among them, and with a driver for each share.
{
  name,
  disks,
  shares,
  consoles,
}:
{ lib, ... }:
let
  isStore = target: target == "/nix/store";

  mount = target: readOnly: fields: {
    name = target;
    value = fields // {
      options = [ (if readOnly then "ro" else "rw") ] ++ fields.options or [ ];
      neededForBoot = isStore target;
    };
  };

  # udev names a virtio disk after its serial number.
  ofDisk =
    disk:
    mount disk.target (disk.readOnly or false) {
      device = "/dev/disk/by-id/virtio-${disk.serial or disk.name}";
      fsType = disk.fs or "auto"; # Go reports that it is missing
    };

  # A share is mounted by its tag, which is its number (vmconfig.ShareTag). The store does not
  # change, so that the guest can cache it.
  ofShare =
    number: share:
    mount share.target (share.readOnly or true) (
      {
        device = "share${toString number}";
        fsType = share.driver;
      }
      // lib.optionalAttrs (share.driver == "9p") {
        options = [
          "trans=virtio"
          "version=9p2000.L"
          "msize=512000"
          (if isStore share.target then "cache=loose" else "cache=mmap")
        ];
      }
    );

  hasLogin = console: console.login or true;
in
{
  fileSystems = builtins.listToAttrs (
    map ofDisk (builtins.filter (disk: disk ? target) disks) ++ lib.imap0 ofShare shares
  );

  networking.hostName = lib.mkDefault name;

  virtualisation.microvm-console.rootLogin = lib.mkDefault (
    consoles == [ ] || builtins.any hasLogin consoles
  );

  # systemd starts a getty on each console of the kernel, but for these.
  systemd.services = builtins.listToAttrs (
    map (console: {
      name = "serial-getty@${console.device}";
      value.enable = false;
    }) (builtins.filter (console: !hasLogin console) consoles)
  );
}
