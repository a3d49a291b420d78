# The NixOS module: relays for every user that logs in, except system users (root, the
# user of a login screen). Only one user at a time can use a directory.
tools:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.qemu-relay;
  inherit (import ./common.nix tools { inherit config lib pkgs; }) options relay;
in
{
  key = "microvm-console#nixosModules.default";

  options.services.qemu-relay = options;

  config = lib.mkIf cfg.enable {
    inherit (relay) assertions;

    environment.systemPackages = [ cfg.package ];

    # run-qemu and qemu-relay read this file, so that their settings are the units'.
    environment.etc."qemu-relay/config.json".source = relay.config;

    systemd.packages = [ relay.units ];

    # NixOS ignores the links in packages that start a unit. These are services, so that
    # other modules can extend them.
    systemd.user.services = lib.genAttrs (map (lib.removeSuffix ".service") relay.unitNames) (_name: {
      overrideStrategy = "asDropin";
      wantedBy = [ "default.target" ];
      unitConfig.ConditionUser = "!@system";
    });
  };
}
