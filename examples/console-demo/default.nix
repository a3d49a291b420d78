# The console demo: a small Linux guest with a login on ttyS0 and on hvc0.
#
# config.nix has the settings to edit, qemu-consoles.nix describes the two consoles, and
# mkMicrovm makes a package of both, with the programs that run, test and stop the VM.
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
            dmesg | grep -i console       how they were set up
            tty                           which one you are on
            echo "Hello from $(tty)" > /dev/ttyS0
            echo "Hello from $(tty)" > /dev/hvc0
        '';
      }
    ];
  }
)
