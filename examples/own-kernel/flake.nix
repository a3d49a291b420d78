# A VM with a kernel that was built elsewhere: bzImage and modules are beside this file.
{
  inputs.microvm-console.url = "git+file:///home/me/src/microvm-console"; # where you keep it

  outputs =
    { microvm-console, ... }:
    {
      packages.x86_64-linux.default = microvm-console.lib.mkMicrovm {
        system = "x86_64-linux";
        name = "own-kernel";
        kernel = ./bzImage;

        # Remove this line for a kernel without modules.
        guest.modulesDir = ./modules/lib/modules;

        checks = [
          {
            name = "the kernel prints its version";
            console = "serial";
            expect = "Linux version";
          }
        ];
      };
    };
}
