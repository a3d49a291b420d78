# The options of services.microvm-console. Those of system services are for NixOS only.
{
  lib,
  package,
  system,
}:
let
  inherit (lib) mkOption types;

  account =
    description:
    mkOption {
      type = types.nullOr types.str;
      default = null;
      inherit description;
    };

  vm = types.submodule {
    options = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the VM has a service.";
      };

      config = mkOption {
        type = types.attrsOf types.anything;
        default = { };
        example = {
          memoryMiB = 512;
          guest.hostname = "web";
        };
        description = "The VM: the arguments of mkMicrovm, which makes its package.";
      };

      package = mkOption {
        type = types.nullOr types.package;
        default = null;
        description = "The VM as a package of mkMicrovm, instead of config.";
      };

      autostart = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the VM starts at boot; in home-manager when the user logs in, or at boot if the user lingers.";
      };

      restart = mkOption {
        type = types.enum [
          "no"
          "on-failure"
          "always"
        ];
        default = "on-failure";
        description = "When systemd restarts a VM that has ended.";
      };

      restartSeconds = mkOption {
        type = types.ints.positive;
        default = 5;
        description = "Time before a restart, in seconds.";
      };
    }
    // lib.optionalAttrs system {
      group = account "NixOS only: a group whose members may use the VM. The default (null) is none: only root may.";
      user = account "NixOS only: the user that runs the VM, who must exist. The default (null) is a user that systemd makes for it.";
    };
  };
in
{
  package = mkOption {
    type = types.package;
    default = package;
    defaultText = lib.literalExpression "microvm-console.packages.\${system}.tools";
    description = "The package that contains microvm-run and the programs that use VMs.";
  };

  vms = mkOption {
    type = types.attrsOf vm;
    default = { };
    example = {
      web = {
        config.memoryMiB = 512;
        group = "wheel";
      };
    };
    description = "The VMs that run as services. The name of a VM is that of its attribute.";
  };
}
