{
  description = "MicroVMs whose consoles never lose a byte";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { nixpkgs, ... }:
    let
      # x86_64 only. The outputs follow from this list, but the VMs that they make do not: the
      # demo's consoles, bzImage, and the options in nix/kernel/config are those of a PC.
      systems = [ "x86_64-linux" ];

      perSystem = nixpkgs.lib.genAttrs systems (
        system: import ./nix { pkgs = nixpkgs.legacyPackages.${system}; }
      );
      output = name: builtins.mapAttrs (_system: outputs: outputs.${name}) perSystem;

      forSystem =
        system: remedy:
        perSystem.${system} or (throw "microvm-console: system ${system} is not supported (${remedy})");

      # What the modules take their defaults from.
      outputsFor = system: forSystem system "set the option package";
      tools = system: (outputsFor system).packages.tools;

      # A function of nix/lib, which takes the system as one more argument.
      function =
        name:
        {
          system ? throw "microvm-console: lib.${name}: system is missing (as \"x86_64-linux\")",
          ...
        }@arguments:
        (forSystem system "use overlays.default").lib.${name} (removeAttrs arguments [ "system" ]);

      homeModules.default.imports = [
        (import ./nix/modules/home-manager.nix tools)
        (import ./nix/modules/home-manager-vms.nix outputsFor)
      ];
    in
    {
      packages = output "packages";
      legacyPackages = output "legacyPackages";
      apps = output "apps";
      checks = output "checks";
      devShells = output "devShells";
      formatter = output "formatter";

      lib = nixpkgs.lib.genAttrs [ "mkGuestInitrd" "mkMicrovm" ] function;
      overlays.default = import ./nix/overlay.nix;

      nixosModules.default.imports = [
        (import ./nix/modules/nixos.nix tools)
        (import ./nix/modules/nixos-vms.nix outputsFor)
      ];
      nixosModules.guest = import ./nix/modules/nixos-guest.nix tools;
      inherit homeModules;
      homeManagerModules = homeModules;

      templates.default = {
        path = ./templates/default;
        description = "A microVM of your own, with a check for run-test";
      };
    };
}
