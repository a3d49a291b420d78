# `nix run .#microvm-run`: runs the demo in the foreground.
{ console-demo }:
{
  type = "app";
  program = "${console-demo}/bin/microvm-run";
  meta.description = "Run the demo microVM in the foreground";
}
