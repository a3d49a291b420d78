# What the two modules of VMs share: the options, and the unit of each VM that is enabled.
# outputs is a function from a system to our packages and functions.
outputs: manager:
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.services.microvm-console;
  ours = outputs pkgs.stdenv.hostPlatform.system;

  vmUnit = import ../lib/vmUnit.nix {
    inherit (pkgs) runCommand;
    tools = cfg.package;
  };

  unit =
    name: vm:
    vm
    // {
      unit = vmUnit {
        inherit name manager;
        vm =
          if vm.package != null then
            vm.package
          else
            ours.lib.mkMicrovm ({ inherit name; } // vm.config);
        settings = {
          inherit (vm) restart;
          restart-seconds = vm.restartSeconds;
          group = vm.group or null;
          user = vm.user or null;
        };
      };
    };
in
{
  options = import ./vm-options.nix {
    inherit lib;
    package = ours.packages.tools;
    system = manager == "system";
  };

  # With the attribute unit, the package of the unit.
  enabled = lib.mapAttrs unit (lib.filterAttrs (_name: vm: vm.enable) cfg.vms);

  assertions = lib.mapAttrsToList (name: vm: {
    assertion = vm.package == null || vm.config == { };
    message = "services.microvm-console.vms.${name}: package and config exclude each other (set one of them)";
  }) cfg.vms;
}
