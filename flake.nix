{
  description = "MicroVMs whose consoles never lose a byte";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { nixpkgs, ... }:
    let
      # A second system is one more entry here, and nothing else.
      systems = [ "x86_64-linux" ];

      perSystem = nixpkgs.lib.genAttrs systems (
        system: import ./nix { pkgs = nixpkgs.legacyPackages.${system}; }
      );
      output = name: builtins.mapAttrs (_system: outputs: outputs.${name}) perSystem;

      forSystem =
        system: remedy:
        perSystem.${system} or (throw "microvm-console: nothing for ${system} (${remedy})");

      # The package that a module takes unless it is told another.
      tools = system: (forSystem system "set services.qemu-relay.package").packages.tools;

      # A function of nix/lib, for the system that its caller names.
      function =
        name:
        {
          system ? throw "microvm-console: lib.${name}: system is missing (as \"x86_64-linux\")",
          ...
        }@arguments:
        (forSystem system "take overlays.default").lib.${name} (removeAttrs arguments [ "system" ]);

      homeModules.default = import ./nix/modules/home-manager.nix tools;
    in
    {
      packages = output "packages";
      apps = output "apps";
      checks = output "checks";
      devShells = output "devShells";
      formatter = output "formatter";

      lib = nixpkgs.lib.genAttrs [ "mkGuestInitrd" "mkMicrovm" ] function;
      overlays.default = import ./nix/overlay.nix;

      nixosModules.default = import ./nix/modules/nixos.nix tools;
      inherit homeModules;
      homeManagerModules = homeModules;
    };
}
