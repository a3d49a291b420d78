# What both modules set for VMs, under a minimal replacement of nixpkgs' module system, as in
# modules.nix. tests/flake/vm_modules_test.go uses the real one.
{
  console-demo,
  lib,
  runCommand,
  tools,
}:
let
  fakeLib = {
    inherit (builtins) filter mapAttrs;
    inherit (lib) genAttrs mapAttrs' optionalAttrs;
    filterAttrs =
      keep: set:
      removeAttrs set (builtins.filter (name: !keep name set.${name}) (builtins.attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
    optional = condition: value: if condition then [ value ] else [ ];
    literalExpression = text: text;
    mkIf = condition: value: if condition then value else { };
    mkMerge = builtins.foldl' (all: these: all // these) { };
    mkOption = option: option;
    types = {
      ints.positive = null;
      attrsOf = type: type;
      submodule = module: module;
    }
    // lib.genAttrs [ "enum" "nullOr" ] (_name: _type: null)
    // lib.genAttrs [ "anything" "bool" "package" "str" ] (_name: null);
  };

  # The configuration that a module sets for the given VMs.
  set =
    module: vms:
    let
      made = import module (_system: { packages = { inherit tools; }; }) {
        lib = fakeLib;
        pkgs = {
          inherit runCommand;
          stdenv.hostPlatform.system = "any";
        };
        config.services.microvm-console = {
          package = tools;
          vms = builtins.mapAttrs (_name: vm: defaults // { package = console-demo; } // vm) vms;
        };
      };
      defaults = builtins.mapAttrs (
        _name: option: option.default
      ) made.options.services.microvm-console.vms.type.options;
    in
    made.config;

  nixos = set ../modules/nixos-vms.nix {
    late.autostart = false;
    off.enable = false;
    web.group = "vms";
  };
  home = set ../modules/home-manager-vms.nix {
    web = { };
  };
in
assert set ../modules/home-manager-vms.nix { } == { } && set ../modules/nixos-vms.nix { } == { };
assert nixos.users.groups == { vms = { }; } && builtins.length nixos.systemd.packages == 2;
assert nixos.systemd.services.microvm-late.wantedBy == [ ];
assert nixos.systemd.services.microvm-web.wantedBy == [ "multi-user.target" ];
runCommand "vm-modules" { } ''
  command="${console-demo.microvmRun} --config ${console-demo.vmJSON} --name web"
  unit=${builtins.elemAt nixos.systemd.packages 1}/lib/systemd/system/microvm-web.service
  grep -x Group=vms $unit
  grep -Fx "ExecStart=$command --no-tcp" $unit
  grep -Fx "ExecStart=$command" \
    ${home.xdg.configFile."systemd/user/default.target.wants/microvm-web.service".source}
  touch $out
''
