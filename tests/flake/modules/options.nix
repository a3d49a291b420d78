# docs/options.md, made from the options of the modules with a minimal replacement of
# nixpkgs' lib.
let
  inherit (builtins)
    attrNames
    concatStringsSep
    isAttrs
    map
    toJSON
    ;

  types = {
    bool = "true or false";
    package = "package";
    port = "port, 0 to 65535";
    str = "text";
    ints.positive = "whole number from 1";
    nullOr = type: type;
    anything = "any";
    enum = words: "one of ${concatStringsSep ", " words}";
    attrsOf = inner: if inner ? options then { attrs = inner.options; } else "attributes";
    submodule = module: module;
  };
  lib = {
    inherit types;
    mkOption = option: option;
    mkEnableOption = what: {
      type = types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
    optionalAttrs = condition: attributes: if condition then attributes else { };
    literalExpression = text: { inherit text; };
  };

  # A value in the syntax of Nix; only the types that the options use.
  value =
    v:
    if v ? text then
      v.text
    else if isAttrs v then
      "{ ${concatStringsSep "" (map (name: "${name} = ${value v.${name}}; ") (attrNames v))}}"
    else
      toJSON v;

  cell = name: show: option: if option ? ${name} then show option.${name} else "";
  code = v: "`${value v}`";
  line =
    prefix: name: option:
    "| `${prefix}${name}` | ${if isAttrs option.type then "attributes" else option.type} | ${
      cell "default" code (option // (if option ? defaultText then { default = option.defaultText; } else { }))
    } | ${cell "example" code option} | ${option.description} |\n"
    + (
      if isAttrs option.type then lines "${prefix}${name}.<name>." option.type.attrs else ""
    );
  lines = prefix: options: concatStringsSep "" (map (name: line prefix name options.${name}) (attrNames options));
in
''
  # Options of the modules

  The options of NixOS (`nixosModules.default`) and of home-manager (`homeModules.default`). This file
  is generated from the options: `scripts/test -run TestOptionsDocument -update` writes it.

  ## VMs

  `services.microvm-console`: [VMs as services](services.md).

  | option | type | default | example | |
  |---|---|---|---|---|
  ${lines "services.microvm-console." (import ../../../nix/modules/vm-options.nix { inherit lib; package = { text = ""; }; system = true; })}
  ## Relays

  `services.qemu-relay`: [relays](relays.md).

  | option | type | default | example | |
  |---|---|---|---|---|
  ${lines "services.qemu-relay." (import ../../../nix/modules/options.nix { inherit lib; package = { text = ""; }; })}''
