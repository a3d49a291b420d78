# `nix run .#microvm-shutdown`: stops a running demo.
{ console-demo }:
{
  type = "app";
  program = "${console-demo}/bin/microvm-shutdown";
  meta.description = "Shut the demo microVM down";
}
