# The home-manager module: the relays of one user.
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

  # home-manager restarts a changed unit only if it is in this folder, and not in
  # systemd.user.packages.
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
        # run-qemu and qemu-relay read this file, so that their settings are the units'.
        { "qemu-relay/config.json".source = relay.config; }
      ]
      ++ map links relay.unitNames
    );
  };
}
