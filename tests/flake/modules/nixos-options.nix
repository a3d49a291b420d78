# Declares the options of NixOS that the guest module sets or reads, with the types that they
# have in NixOS.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  password = option (types.nullOr types.str) null;

  fileSystem =
    { name, config, ... }:
    {
      options = {
        enable = option types.bool true;
        autoResize = option types.bool false;
        device = option (types.nullOr types.str) null;
        fsType = option types.str "auto";
        label = option (types.nullOr types.str) null;
        mountPoint = option types.str name;
        neededForBoot = option types.bool false;
        options = option (types.nonEmptyListOf types.str) [ "defaults" ];
      };
      config = {
        device = lib.mkMerge [
          (lib.mkIf (config.fsType == "tmpfs") (lib.mkDefault config.fsType))
          (lib.mkIf (config.label != null) (lib.mkDefault "/dev/disk/by-label/${config.label}"))
        ];
        options = lib.mkIf config.autoResize [ "x-systemd.growfs" ];
      };
    };

  user.options = {
    hashedPassword = password;
    hashedPasswordFile = password;
    initialHashedPassword = password;
    initialPassword = password;
    password = password;
  };

  service.options = {
    description = option types.str "";
    enable = option types.bool true;
    path = option (types.listOf (types.either types.package types.str)) [ ];
    serviceConfig = option (types.attrsOf types.raw) { };
    wantedBy = option (types.listOf types.str) [ ];
  };
in
{
  options = {
    boot.growPartition = option types.bool false;
    boot.initrd.availableKernelModules = option (types.listOf types.str) [ ];
    boot.initrd.kernelModules = option (types.listOf types.str) [ ];
    boot.kernelParams = option (types.listOf types.str) [ ];
    boot.loader.grub.enable = option types.bool true;
    fileSystems = option (types.attrsOf (types.submodule fileSystem)) { } // {
      apply = lib.filterAttrs (_name: one: one.enable);
    };
    networking.hostName = option types.str "nixos";
    nix.enable = option types.bool true;
    system = option types.raw { };
    systemd.services = option (types.attrsOf (types.submodule service)) { };
    users.users = option (types.attrsOf (types.submodule user)) { };
  };

  config.users.users.root.initialHashedPassword = lib.mkDefault "!";
}
