# `nix run .#microvm-run`: the demo in the foreground.
{ console-demo }:
{
  type = "app";
  program = "${console-demo}/bin/microvm-run";
  meta.description = "Start the demo microVM and stay until it ends";
}
