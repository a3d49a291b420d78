# A NixOS machine with our module: a user's session starts the relays, and QEMU connects
# to them. Without NixOS in the package set this is skipped, with a message;
# tests/relay/module_units_test.go runs the same script under the host's systemd.
{
  qemu_kvm,
  runCommand,
  tools,
  testers ? null,
}:
let
  test = {
    name = "qemu-relay";

    nodes.machine = {
      imports = [ (import ../modules/nixos.nix (_system: tools)) ];
      services.qemu-relay.enable = true;
      environment.systemPackages = [ qemu_kvm ];
      users.users.developer = {
        isNormalUser = true;
        uid = 1000;
        linger = true;
      };
    };

    testScript = ''
      machine.wait_for_unit("user@1000.service")
      for channel in ["serial", "monitor", "debugcon"]:
          machine.wait_for_unit(f"qemu-{channel}-relay.service", "developer")
      session = "XDG_RUNTIME_DIR=/run/user/1000"
      script = "${../../tests/relay/testdata/session.sh} ${../../scripts/run-qemu.sh}"
      print(machine.succeed(f"su - developer -c '{session} bash {script}'"))
    '';
  };
in
if testers == null then
  runCommand "nixos" { } "echo 'skipped: testers: not in this package set' | tee $out"
else
  testers.runNixOSTest test
