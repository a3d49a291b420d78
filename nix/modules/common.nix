# What the two modules share: the options, and the units made from them.
# tools is a function from a system to our package.
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
