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

      # The package that a module takes unless it is told another.
      tools =
        system:
        (perSystem.${system} or (throw "microvm-console: no package for ${system} (set services.qemu-relay.package)"))
        .packages.tools;
      homeModules.default = import ./nix/modules/home-manager.nix tools;
    in
    {
      packages = output "packages";
      apps = output "apps";
      checks = output "checks";
      devShells = output "devShells";
      formatter = output "formatter";

      nixosModules.default = import ./nix/modules/nixos.nix tools;
      inherit homeModules;
      homeManagerModules = homeModules;
    };
}
