# The options of services.qemu-relay, the same in NixOS and in home-manager.
{ lib, package }:
let
  inherit (lib) mkOption types;

  # The default of a setting is null, which is not written. The program has the real
  # default; the description repeats it for the reader.
  setting =
    type: default: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      description = "${description} The default (null) is ${default}.";
    };

  channel = types.submodule {
    options = {
      enable = setting types.bool "true" "Whether the channel has a relay.";
      tcp = setting types.port "none" "TCP port on localhost that serves the channel." // {
        example = 4450;
      };
      shared = setting types.bool "false: only the relay's user and root" "Whether every user of the host may connect to tcp.";
      input = setting types.bool "true, and false for debugcon, which has no input" "Whether clients may type.";
    };
  };
in
{
  enable = lib.mkEnableOption "relays that keep QEMU's channels available between runs of QEMU";

  package = mkOption {
    type = types.package;
    default = package;
    defaultText = lib.literalExpression "microvm-console.packages.\${system}.tools";
    description = "The package that contains qemu-relay.";
  };

  directory = setting types.str "/tmp" "Absolute path of the folder of the public endpoints, such as qemu-serial.in." // {
    example = "/run/user/1000";
  };

  retentionMiB = setting types.ints.positive "64" "Size of each channel's journal in MiB, at least 16.";

  boots = setting types.ints.positive "10" "Number of boots in each channel's journal.";

  channels = mkOption {
    type = types.attrsOf channel;
    default = { };
    example = {
      serial.tcp = 4450;
      monitor.enable = false;
    };
    description = "The channels. serial, monitor and debugcon exist unless they are disabled; others exist if they are named here.";
  };
}
