# What the two modules do alike: the options, and what follows from them.
# tools is our package for a system.
tools:
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.services.qemu-relay;
in
{
  options = import ./options.nix {
    inherit lib;
    package = tools pkgs.stdenv.hostPlatform.system;
  };

  # config, units, unitNames and assertions.
  relay =
    import ../lib/relayUnits.nix
      {
        inherit (pkgs) runCommand writeText;
        tools = cfg.package;
      }
      {
        settings = {
          inherit (cfg)
            boots
            channels
            directory
            retentionMiB
            ;
        };
      };
}
