# `nix run`: starts the demo, tests its consoles and shuts it down.
{ console-demo }:
{
  type = "app";
  program = "${console-demo}/bin/run-test";
  meta.description = "Test the consoles of the demo microVM";
}
