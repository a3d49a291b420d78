# `nix run`: start the demo, test its consoles, shut it down.
{ console-demo }:
{
  type = "app";
  program = "${console-demo}/bin/run-test";
  meta.description = "Test the consoles of the demo microVM";
}
