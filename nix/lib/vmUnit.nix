# The unit of a VM as a service, for the NixOS and the home-manager module. Go makes its text, and
# checks the settings.
{ runCommand, tools }:
{
  # The VM is called name, whatever its vm.json says. The unit is microvm-${name}.service.
  name,
  # A package of mkMicrovm.
  vm,
  # "system" or "user".
  manager,
  # Flags of microvm-run units, by name; those that are null are left out.
  settings ? { },
}:
let
  flag = option: value: if value == null then "" else "--${option} '${toString value}'";
  flags = builtins.attrValues (builtins.mapAttrs flag settings);
  system = if manager == "system" then "--system" else "";
in
runCommand "microvm-${name}-unit" { } ''
  ${tools}/bin/microvm-run --config ${vm.vmJSON} --name '${name}' units ${system} \
    --program ${vm.microvmRun} ${toString flags} --output $out/share/systemd/${manager}
  # NixOS takes units from this folder.
  mkdir -p $out/lib
  ln -s ../share/systemd $out/lib/systemd
''
