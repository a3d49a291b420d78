# The functions of nixpkgs' lib that the flake uses.
let
  lib = {
    fileContents = file: lib.removeSuffix "\n" (builtins.readFile file);

    genAttrs =
      names: value:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = value name;
        }) names
      );

    licenses.mit.spdxId = "MIT";

    mapAttrs' =
      pair: set: builtins.listToAttrs (map (name: pair name set.${name}) (builtins.attrNames set));

    optionalAttrs = condition: set: if condition then set else { };

    removeSuffix =
      suffix: text:
      let
        length = builtins.stringLength text - builtins.stringLength suffix;
      in
      if length >= 0 && builtins.substring length (-1) text == suffix then
        builtins.substring 0 length text
      else
        text;
  };
in
lib
