# Replaces nixpkgs for the flake of docs/nixos.md. The systems of nixosSystem are not NixOS:
# their initrd is our guest image, which mounts the disks and shares of the VM, and serves a
# file of the system and the share on port 80. Their module system ignores the modules.
{
  inputs.hostpkgs.url = "none";
  inputs.microvm-console.url = "none";

  outputs =
    { hostpkgs, microvm-console, ... }:
    let
      pkgs = hostpkgs.legacyPackages.x86_64-linux;
      kernel = pkgs.linuxPackages.standard;

      image = microvm-console.lib.mkGuestInitrd {
        system = "x86_64-linux";
        hostname = "web";
        inherit kernel;
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
          "9pnet_virtio"
          "9p"
        ];
        start = ''
          init=$(sed -n 's/.*init=\([^ ]*\).*/\1/p' /proc/cmdline)
          mkdir /www
          ln -s "''${init%/*}/www" /www/system
          ln -s /srv/www /www/share
          httpd -p 80 -h /www
        '';
      };

      built = {
        boot.kernelParams = [ "loglevel=4" ];
        system.boot.loader.kernelFile = "bzImage";
        system.boot.loader.initrdFile = "initrd";
        system.build = {
          inherit kernel;
          initialRamdisk = image;
          toplevel = pkgs.runCommand "nixos-system-web" { } ''
            mkdir -p $out/www
            touch $out/init
            ln -s ${pkgs.writeText "index.html" "from the system\n"} $out/www/index.html
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
