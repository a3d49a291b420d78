{
  description = "The few nixpkgs attributes that microvm-console uses, from a Debian host";

  outputs =
    { self }:
    let
      system = "x86_64-linux";
      lib = import ./lib.nix;
    in
    {
      inherit lib;
      legacyPackages.${system} = import ./packages.nix { inherit lib system; };

      # In the form of nix/nixpkgs-attributes.txt, to compare the two.
      attributes =
        builtins.attrNames self.legacyPackages.${system}
        ++ map (name: "lib.${name}") (builtins.attrNames lib);
    };
}
