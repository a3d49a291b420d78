# The NixOS module of a guest: what NixOS needs to run in a VM of lib.mkMicrovm, which adds it
# (nix/lib/nixosGuest.nix). Without a root disk in fileSystems, / is a tmpfs.
#
# The kernel's console= parameters follow from the consoles in vm.json. systemd starts a getty
# on each of them.
tools:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.virtualisation.microvm-console;

  # Without the other programs of the package, which the guest does not need.
  agent = pkgs.runCommand "microvm-agent" { } ''
    install -D ${cfg.package}/libexec/microvm-agent $out/bin/microvm-agent
  '';

  # The file system of a root disk grows with the disk.
  rootDisk =
    { name, config, ... }:
    {
      config.autoResize = lib.mkIf (
        name == "/"
        && builtins.elem config.fsType [
          "btrfs"
          "ext3"
          "ext4"
          "xfs"
        ]
      ) (lib.mkDefault true);
    };
in
{
  key = "microvm-console#nixosModules.guest";

  options.virtualisation.microvm-console = {
    package = lib.mkOption {
      type = lib.types.package;
      default = tools pkgs.stdenv.hostPlatform.system;
      defaultText = lib.literalExpression "microvm-console.packages.\${system}.tools";
      description = "The package that contains the guest agent.";
    };
    rootLogin = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether root can log in on the consoles without a password. A password that the configuration sets has precedence.";
    };
  };

  options.fileSystems = lib.mkOption {
    type = lib.types.attrsOf (lib.types.submodule rootDisk);
  };

  config = {
    # QEMU loads the kernel.
    boot.loader.grub.enable = lib.mkDefault false;

    # Both transports, for either machine type; the file systems of disks and shares.
    boot.initrd.availableKernelModules = [
      "9p"
      "9pnet_virtio"
      "erofs"
      "ext4"
      "overlay"
      "virtio_blk"
      "virtio_mmio"
      "virtio_net"
      "virtio_pci"
      "virtiofs"
    ];
    # Loaded at once: the virtio consoles and the agent's port.
    boot.initrd.kernelModules = [ "virtio_console" ];

    fileSystems."/" = lib.mkDefault {
      device = "tmpfs";
      fsType = "tmpfs";
      options = [ "mode=0755" ];
    };
    # A partition grows before its file system does.
    boot.growPartition = lib.mkDefault (
      lib.hasInfix "-part" (toString config.fileSystems."/".device)
    );

    # The store is read-only.
    nix.enable = lib.mkDefault false;

    # Over a default of NixOS, below every setting of the user.
    users.users.root.initialHashedPassword = lib.mkIf cfg.rootLogin (lib.mkOverride 900 "");

    systemd.services.microvm-agent = {
      description = "Guest agent of microvm-console";
      wantedBy = [ "multi-user.target" ];
      # Where the commands of microvm-exec find programs.
      path = [
        "/run/wrappers"
        "/run/current-system/sw"
      ];
      serviceConfig = {
        ExecStart = "${agent}/bin/microvm-agent";
        Restart = "always";
      };
    };
  };
}
