# What the modules make of settings: a file without the settings that are not set, the
# units that the program prints, and a message for each mistake.
{
  relayUnits,
  runCommand,
  tools,
}:
let
  own = relayUnits {
    settings = {
      directory = "/run/q";
      boots = null;
      channels.serial.tcp = 4450;
      channels.monitor.enable = false;
      channels.uart-2.tcp = null;
    };
  };
  wrong = relayUnits {
    settings.directory = "tmp";
    settings.channels = {
      serial.tcp = 4450;
      uart-2.tcp = 4450;
    };
  };
  none = relayUnits {
    settings.channels = builtins.mapAttrs (_name: _settings: { enable = false; }) own.channels;
  };
  messages = made: map (one: one.message) (builtins.filter (one: !one.assertion) made.assertions);
in
assert messages own == [ ];
runCommand "relay-units" { } ''
  want() { [ "$2" = "$3" ] || { printf '%s:\n%s\nwant:\n%s\n' "$@" >&2; exit 1; }; }

  want 'a port twice' '${toString (messages wrong)}' \
    'services.qemu-relay.channels: serial uart-2 have tcp = 4450 (give each a port of its own)'
  want 'no channel' '${toString (messages none)}' \
    'services.qemu-relay.channels: none is enabled (enable one, or set services.qemu-relay.enable = false)'
  want 'no settings' "$(cat ${(relayUnits { }).config})" \
    '{"channels":{"debugcon":{},"monitor":{},"serial":{}}}'
  want 'settings' "$(cat ${own.config})" \
    '{"channels":{"debugcon":{},"monitor":{"enable":false},"serial":{"tcp":4450},"uart-2":{}},"directory":"/run/q"}'

  printed=$(${tools}/bin/qemu-relay units --config ${own.config} --program ${tools}/bin/qemu-relay)
  for unit in ${own.units}/lib/systemd/user/*; do
    text="# ''${unit##*/}"$'\n'$(cat $unit)
    [[ $printed = *"$text"* ]] || want "$unit" "$text" "$printed"
  done

  # The build of wrong.units fails with this message.
  status=0
  ${tools}/bin/qemu-relay units --config ${wrong.config} --output units 2>printed || status=$?
  want 'status of wrong settings' $status 2
  want 'message for wrong settings' "$(sed 's/.*json: //' printed)" 'directory: "tmp" is not an absolute path
  channels.uart-2.tcp: port 4450 is used by channels.serial too'

  # The units without settings, for a test that has a systemd.
  mkdir $out
  cp ${(relayUnits { }).units}/share/systemd/user/*.service $out
''
