# The settings file of qemu-relay and the user units made from it, for the NixOS and the
# home-manager module.
#
# A setting that is null is not written: Go, which reads the file, has the default. Wrong
# settings fail the build, with the message of the Go program.
{
  runCommand,
  tools,
  writeText,
}:
{
  # directory, retentionMiB, boots and channels; all optional.
  settings ? { },
  package ? tools,
}:
let
  given =
    set: removeAttrs set (builtins.filter (name: set.${name} == null) (builtins.attrNames set));

  # The modules need the names of the units at evaluation, before the program can print
  # them. The build below checks that the program makes the same units.
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

  # The mistakes that can be found without a build.
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

  # The units contain the store path of the settings, so that a changed setting restarts
  # them.
  units = runCommand "qemu-relay-units" { } ''
    ${package}/bin/qemu-relay units --config ${config} --program ${package}/bin/qemu-relay --output $out/share/systemd/user
    cd $out/share/systemd/user
    if [ "$(echo *)" != "${toString unitNames}" ]; then
      echo "qemu-relay made the units $(echo *), want ${toString unitNames}" >&2
      exit 1
    fi
    # NixOS takes units from this folder.
    mkdir -p $out/lib
    ln -s ../share/systemd $out/lib/systemd
  '';
}
