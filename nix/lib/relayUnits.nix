# The settings file of qemu-relay and the user units made from it, as the NixOS
# and the home-manager module both have them.
#
# A setting that is null is not written: what it means is decided in Go, where
# the file is read. Wrong settings are a failed build, with Go's own message.
{
  runCommand,
  tools,
  writeText,
}:
{
  # directory, retentionMiB, boots and channels, each of which may be left out.
  settings ? { },
  package ? tools,
}:
let
  given =
    set: removeAttrs set (builtins.filter (name: set.${name} == null) (builtins.attrNames set));

  # Units have to be named before the program can be asked; that it knows these
  # channels too is checked below.
  channels = builtins.mapAttrs (_name: given) (
    {
      debugcon = { };
      monitor = { };
      serial = { };
    }
    // settings.channels or { }
  );
  enabled = builtins.filter (name: channels.${name}.enable or true) (builtins.attrNames channels);
  unitNames = builtins.sort builtins.lessThan (map (name: "qemu-${name}-relay.service") enabled);

  ports = builtins.groupBy (name: toString channels.${name}.tcp) (
    builtins.filter (name: channels.${name}.tcp or 0 != 0) enabled
  );
  shared = builtins.filter (port: builtins.length ports.${port} > 1) (builtins.attrNames ports);

  config = writeText "qemu-relay.json" (builtins.toJSON (given settings // { inherit channels; }));
in
{
  inherit channels config unitNames;

  # What can be told before anything is built.
  assertions = [
    {
      assertion = enabled != [ ];
      message = "services.qemu-relay.channels: none is enabled (enable one, or set services.qemu-relay.enable = false)";
    }
  ]
  ++ map (port: {
    assertion = false;
    message = "services.qemu-relay.channels: ${toString ports.${port}} have tcp = ${port} (give each a port of its own)";
  }) shared;

  # A changed setting changes the text of the units: they hold its store path.
  units = runCommand "qemu-relay-units" { } ''
    ${package}/bin/qemu-relay units --config ${config} --program ${package}/bin/qemu-relay --output $out/share/systemd/user
    cd $out/share/systemd/user
    if [ "$(echo *)" != "${toString unitNames}" ]; then
      echo "qemu-relay made $(echo *), Nix expects ${toString unitNames}" >&2
      exit 1
    fi
    # Where NixOS looks.
    mkdir -p $out/lib
    ln -s ../share/systemd $out/lib/systemd
  '';
}
