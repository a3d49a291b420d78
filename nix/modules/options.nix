# The options of services.qemu-relay, the same in NixOS and in home-manager.
{ lib, package }:
let
  inherit (lib) mkOption types;

  # Left alone, a setting is null and is not written: the program has the
  # default, which is told here for the reader.
  setting =
    type: default: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      description = "${description} Left alone (null), it is ${default}.";
    };

  channel = types.submodule {
    options = {
      enable = setting types.bool "true" "Whether the channel has a relay.";
      tcp = setting types.port "none" "A TCP port on localhost that serves the channel." // {
        example = 4450;
      };
      shared = setting types.bool "false: to the relay's user and root" "Whether tcp is open to every user of the host.";
      input = setting types.bool "true, but false for debugcon, which only prints" "Whether clients may type.";
    };
  };
in
{
  enable = lib.mkEnableOption "relays that keep QEMU's channels alive while VMs come and go";

  package = mkOption {
    type = types.package;
    default = package;
    defaultText = lib.literalExpression "microvm-console.packages.\${system}.tools";
    description = "The package that has qemu-relay.";
  };

  directory = setting types.str "/tmp" "Where the public endpoints stand, as qemu-serial.in: an absolute path." // {
    example = "/run/user/1000";
  };

  retentionMiB = setting types.ints.positive "64" "How much of each channel's stream is kept, in MiB, at least 16.";

  boots = setting types.ints.positive "10" "How many boots of each channel are kept.";

  channels = mkOption {
    type = types.attrsOf channel;
    default = { };
    example = {
      serial.tcp = 4450;
      monitor.enable = false;
    };
    description = "The channels. serial, monitor and debugcon are there unless they are disabled; others are there once they are named.";
  };
}
