# The vm.json of a machine. A mistake in it fails the build, with the message that the program would
# print later. The build has no disks and shared directories of the user.
{
  runCommand,
  tools,
  writeText,
}:
name: machine:
runCommand "${name}.json" { } ''
  ln -s ${writeText "vm.json" (builtins.toJSON machine)} ${name}.json
  ${tools}/bin/microvm-run --config ${name}.json --check --other-host
  cp ${name}.json $out
''
