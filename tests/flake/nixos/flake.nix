# Replaces nixpkgs for the flake of docs/nixos.md. The systems of nixosSystem are not NixOS:
# their initrd is our guest image, which mounts the disks of the VM and serves a file of the
# system on port 80. Their module system ignores the modules.
{
  inputs.hostpkgs.url = "none";
  inputs.microvm-console.url = "none";

  outputs =
    { hostpkgs, microvm-console, ... }:
    let
      pkgs = hostpkgs.legacyPackages.x86_64-linux;

      image = microvm-console.lib.mkGuestInitrd {
        system = "x86_64-linux";
        hostname = "web";
        modules = [
          "virtio_pci"
          "virtio_mmio"
          "virtio_console"
          "virtio_blk"
          "virtio_net"
          "af_packet"
          "button"
          "evdev"
          "erofs"
          "ext4"
        ];
        start = ''
          init=$(sed -n 's/.*init=\([^ ]*\).*/\1/p' /proc/cmdline)
          httpd -p 80 -h "''${init%/*}/www"
        '';
      };

      built = {
        boot.kernelParams = [ "loglevel=4" ];
        system.boot.loader.kernelFile = "bzImage";
        system.boot.loader.initrdFile = "initrd";
        system.build = {
          inherit (pkgs.linuxPackages) kernel;
          initialRamdisk = image;
          toplevel = pkgs.runCommand "nixos-system-web" { } ''
            mkdir -p $out/www
            touch $out/init
            ln -s ${pkgs.writeText "index.html" "from the store disk\n"} $out/www/index.html
          '';
        };
      };
      fake = {
        config = built;
        extendModules = _modules: fake;
      };
    in
    {
      inherit (hostpkgs) legacyPackages;
      lib = hostpkgs.lib // {
        nixosSystem = _arguments: fake;
      };
    };
}
