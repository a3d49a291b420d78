# The console demo: a small Linux guest with a login on ttyS0 and on hvc0.
#
# config.nix is what you edit, qemu-consoles.nix explains the two consoles, and
# mkMicrovm makes a VM of both, with programs that run, test and stop it.
{ mkMicrovm }:
let
  config = import ./config.nix;
in
mkMicrovm (
  removeAttrs config [ "ports" ]
  // {
    name = "console-demo";
    consoles = import ./qemu-consoles.nix config.ports;

    guest.files = [
      {
        path = "/etc/motd";
        text = ''
          Try these on both consoles:
            cat /proc/consoles            which consoles the kernel prints to
            dmesg | grep -i console       how they came up
            tty                           which one you are on
            echo "Hello from $(tty)" > /dev/ttyS0
            echo "Hello from $(tty)" > /dev/hvc0
        '';
      }
    ];
  }
)
