# NixOS: the relays of every user who logs in, but for system users (a login
# screen's, root). Of several users at a time, one can have a directory.
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

    # Where run-qemu and qemu-relay look, so that they see what the units see.
    environment.etc."qemu-relay/config.json".source = relay.config;

    systemd.packages = [ relay.units ];

    # NixOS takes no links from packages that start a unit. As services, so that
    # others may add settings of their own to them.
    systemd.user.services = lib.genAttrs (map (lib.removeSuffix ".service") relay.unitNames) (_name: {
      overrideStrategy = "asDropin";
      wantedBy = [ "default.target" ];
      unitConfig.ConditionUser = "!@system";
    });
  };
}
