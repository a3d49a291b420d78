# `nix run .#microvm-shutdown`: stop a demo that runs.
{ console-demo }:
{
  type = "app";
  program = "${console-demo}/bin/microvm-shutdown";
  meta.description = "Stop the demo microVM, gently first";
}
