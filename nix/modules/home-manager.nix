# home-manager: the relays of one user.
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

  # In the folder of units that home-manager compares at a switch, so that a
  # changed unit restarts; it does not look into systemd.user.packages.
  links = name: {
    "systemd/user/${name}".source = "${relay.units}/share/systemd/user/${name}";
    "systemd/user/default.target.wants/${name}".source = "${relay.units}/share/systemd/user/${name}";
  };
in
{
  key = "microvm-console#homeModules.default";

  options.services.qemu-relay = options;

  config = lib.mkIf cfg.enable {
    inherit (relay) assertions;

    home.packages = [ cfg.package ];

    xdg.configFile = lib.mkMerge (
      [
        # Where run-qemu and qemu-relay look, so that they see what the units see.
        { "qemu-relay/config.json".source = relay.config; }
      ]
      ++ map links relay.unitNames
    );
  };
}
