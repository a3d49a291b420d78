# What mkMicrovm makes of a NixOS system: the vm.json of a system that ignores modules, or with
# nixpkgsLib the configuration of one that is evaluated by the real module system of nixpkgs,
# with declarations of the options that the guest module sets.
{
  mkMicrovm,
  machine,
  nixpkgsLib ? null,
  configuration ? { },
}:
let
  host = (builtins.getFlake "path:${toString ../../hostpkgs}").legacyPackages.x86_64-linux;
  system = {
    boot.loader.kernelFile = "bzImage";
    boot.loader.initrdFile = "initrd";
    build = {
      inherit (host.linuxPackages) kernel;
      initialRamdisk = host.runCommand "initrd-linux" { } "mkdir $out && touch $out/initrd";
      toplevel = host.runCommand "nixos-system" { } "mkdir $out && touch $out/init";
    };
  };
  kernelParams = [
    "loglevel=4"
    "console=tty0"
    "lsm=landlock,yama,bpf"
  ];

  fake = {
    config = {
      boot = { inherit kernelParams; };
      inherit system;
    };
    extendModules = _modules: fake;
  };

  lib = import (nixpkgsLib + "/lib");
  real = lib.evalModules {
    modules = [
      ./nixos-options.nix
      {
        _module.args.pkgs = host;
        boot = { inherit kernelParams; };
        inherit system;
      }
      configuration
    ];
  };

  package = mkMicrovm (
    {
      system = "x86_64-linux";
      name = "web";
      nixos = if nixpkgsLib == null then fake else real;
    }
    // machine
  );
in
if nixpkgsLib == null then package.vm else removeAttrs package.nixos.config [ "system" ]
