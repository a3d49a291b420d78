{
  description = "A microVM of my own";

  inputs.microvm-console.url = "git+file:///home/me/src/microvm-console"; # where you keep it

  outputs =
    { microvm-console, ... }:
    {
      packages.x86_64-linux.default = microvm-console.lib.mkMicrovm {
        system = "x86_64-linux";
        name = "my-vm";
        memoryMiB = 128;
        ports = {
          serial = 4460; # ttyS0
          console = 4461; # hvc0
        };

        # What the guest contains, and what it runs at its start.
        guest.files = [
          {
            path = "/etc/motd";
            text = "This is my VM.\n";
          }
        ];
        guest.start = "echo my service is up";

        # What run-test checks besides the consoles.
        checks = [
          {
            name = "the service is up";
            console = "console";
            expect = "my service is up";
          }
        ];
      };
    };
}
