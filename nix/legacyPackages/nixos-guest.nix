# A VM with NixOS, a data disk, a share and a network. Only nixpkgs has NixOS; its run-test is a
# step of the workflow ci.
{
  mkMicrovm,
  runCommand,
  nixos ? throw "nixos-guest: this package set has no NixOS (build it with nixpkgs)",
}:
let
  shared = runCommand "shared" { } "mkdir $out; echo from the host >$out/file";
  mounted =
    {
      name,
      path,
      match,
    }:
    {
      inherit match name;
      run = "findmnt --noheadings --output FSTYPE,OPTIONS ${path}";
    };
in
mkMicrovm {
  name = "nixos-guest";
  nixos = nixos {
    networking.firewall.allowedTCPPorts = [ 80 ];
    services.nginx.enable = true;
    services.nginx.virtualHosts.default.root = "/srv/www";
    system.stateVersion = "26.05";
  };
  disks = [
    {
      name = "data";
      sizeMiB = 64;
      fs = "ext4";
      target = "/var/lib/data";
    }
  ];
  shares = [
    {
      source = "${shared}";
      target = "/srv/www";
    }
  ];
  network = {
    type = "user";
    forward = [
      {
        host = 8080;
        guest = 80;
      }
    ];
  };
  checks = [
    {
      name = "every unit has started";
      run = "systemctl is-system-running --wait";
      expect = "running";
      timeoutSeconds = 300;
    }
    {
      name = "nginx serves the share";
      run = "curl --silent --fail http://localhost/file";
      expect = "from the host";
    }
    {
      name = "the network is configured";
      run = "ip -4 -oneline address show scope global";
      expect = "10.0.2.15";
    }
    (mounted {
      name = "the root is in memory";
      path = "/";
      match = "^tmpfs +rw";
    })
    (mounted {
      name = "the store is read-only";
      path = "/nix/store";
      match = "^(erofs|9p) +ro";
    })
    (mounted {
      name = "the data disk is mounted";
      path = "/var/lib/data";
      match = "^ext4 +rw";
    })
  ];
}
