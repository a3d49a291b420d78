# The NixOS module of VMs that run as system services.
outputs:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.microvm-console;
  inherit (import ./vms.nix outputs "system" { inherit config lib pkgs; })
    assertions
    enabled
    options
    ;
  groups = lib.filter (group: group != null) (lib.mapAttrsToList (_name: vm: vm.group) enabled);
in
{
  key = "microvm-console#nixosModules.vms";

  options.services.microvm-console = options;

  config = lib.mkIf (cfg.vms != { }) {
    inherit assertions;

    environment.systemPackages = [ cfg.package ];

    users.groups = lib.genAttrs groups (_name: { });

    systemd.packages = lib.mapAttrsToList (_name: vm: vm.unit) enabled;

    # NixOS ignores the links in packages that start a unit. These are services, so that
    # other modules can extend them.
    systemd.services = lib.mapAttrs' (name: vm: {
      name = "microvm-${name}";
      value = {
        overrideStrategy = "asDropin";
        wantedBy = lib.optional vm.autostart "multi-user.target";
      };
    }) enabled;
  };
}
