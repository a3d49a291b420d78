# The example itself; `nix build .#console-demo`.
import ../../examples/console-demo
