# What both modules set, under a minimal replacement of nixpkgs' module system without
# types and merging. tests/flake/modules_test.go uses the real one.
{
  lib,
  runCommand,
  tools,
  writeText,
}:
let
  fakeLib = {
    inherit (lib) genAttrs removeSuffix;
    literalExpression = text: text;
    mkEnableOption = _text: { default = false; };
    mkIf = condition: value: if condition then value else { };
    mkMerge = builtins.foldl' (all: these: all // these) { };
    mkOption = option: option;
    types = {
      ints.positive = null;
    }
    // lib.genAttrs [ "attrsOf" "nullOr" "submodule" ] (_name: _type: null)
    // lib.genAttrs [ "bool" "package" "port" "str" ] (_name: null);
  };

  # The configuration that a module sets for the given settings.
  set =
    module: settings:
    let
      made = import module (_system: tools) {
        lib = fakeLib;
        pkgs = {
          inherit runCommand writeText;
          stdenv.hostPlatform.system = "any";
        };
        config.services.qemu-relay =
          builtins.mapAttrs (_name: option: option.default) made.options.services.qemu-relay // settings;
      };
    in
    made.config;

  settings = {
    enable = true;
    channels.debugcon.enable = false;
  };
  nixos = set ../modules/nixos.nix settings;
  files = (set ../modules/home-manager.nix settings).xdg.configFile;
  units = lib.genAttrs (builtins.attrNames nixos.systemd.user.services) (
    name: files."systemd/user/default.target.wants/${name}.service".source
  );
in
assert set ../modules/home-manager.nix { } == { } && set ../modules/nixos.nix { } == { };
assert builtins.length (builtins.attrNames files) == 5 && units ? qemu-serial-relay;
runCommand "modules" { } ''
  cd ${builtins.head nixos.systemd.packages}/lib/systemd/user
  config=${nixos.environment.etc."qemu-relay/config.json".source}
  grep -F "serve --config $config monitor" ${units.qemu-monitor-relay}
  cmp qemu-serial-relay.service ${units.qemu-serial-relay}
  cmp $config ${files."qemu-relay/config.json".source}
  touch $out
''
