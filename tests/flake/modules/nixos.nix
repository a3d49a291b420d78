# What our module sets for NixOS: evaluated by the real module system of nixpkgs, with
# declarations of the options that it sets.
{
  module,
  nixpkgsLib,
  settings ? { },
  vms ? { },
}:
let
  pkgs = import ./packages.nix { inherit nixpkgsLib; };
  inherit (pkgs) lib;
  inherit (lib) mkOption types;

  attributes = mkOption {
    type = types.attrsOf (types.attrsOf types.raw);
    default = { };
  };
  packages = mkOption {
    type = types.listOf types.package;
    default = [ ];
  };

  nixos = {
    imports = [ ./assertions.nix ];
    options.environment.etc = attributes;
    options.environment.systemPackages = packages;
    options.systemd.packages = packages;
    options.systemd.services = attributes;
    options.systemd.user.services = attributes;
    options.users.groups = attributes;
  };

  inherit
    (lib.evalModules {
      modules = [
        module
        nixos
        {
          _module.args = { inherit pkgs; };
          services = {
            qemu-relay = settings;
          }
          // lib.optionalAttrs (vms != { }) { microvm-console.vms = vms; };
        }
      ];
    })
    config
    ;
  failed = lib.filter (one: !one.assertion) config.assertions;
in
if failed != [ ] then
  throw (lib.concatMapStringsSep "\n" (one: one.message) failed)
else
  {
    etc = lib.mapAttrs (_name: file: file.source) config.environment.etc;
    inherit (config.systemd.user) services;
    inherit (config.users) groups;
    systemServices = config.systemd.services;
    packages = map lib.getName config.environment.systemPackages;
    units = map toString config.systemd.packages;
    builds = lib.concatMap (package: lib.attrNames (builtins.getContext (toString package))) config.systemd.packages;
  }
