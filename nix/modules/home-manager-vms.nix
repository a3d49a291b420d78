# The home-manager module of VMs that run as services of one user.
outputs:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.microvm-console;
  inherit (import ./vms.nix outputs "user" { inherit config lib pkgs; })
    assertions
    enabled
    options
    ;

  # home-manager restarts a changed unit only if it is in this folder, and not in
  # systemd.user.packages.
  links =
    name: vm:
    let
      file = "microvm-${name}.service";
      source = "${vm.unit}/share/systemd/user/${file}";
    in
    { "systemd/user/${file}".source = source; }
    // lib.optionalAttrs vm.autostart {
      "systemd/user/default.target.wants/${file}".source = source;
    };
in
{
  key = "microvm-console#homeModules.vms";

  options.services.microvm-console = options;

  config = lib.mkIf (cfg.vms != { }) {
    inherit assertions;

    home.packages = [ cfg.package ];

    xdg.configFile = lib.mkMerge (lib.mapAttrsToList links enabled);
  };
}
