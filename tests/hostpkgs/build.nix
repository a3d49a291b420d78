# How things are built here: bash scripts that use the host's own programs.
{ system }:
let
  # What every build starts with. nixpkgs' builds run in /build, so the directory
  # has a short name here too: a Unix socket below it must not be longer than 107
  # bytes. The home directory is one that not even root can make: without a
  # sandbox, Nix's /homeless-shelter would spring up.
  prologue = ''
    export HOME=/proc/homeless-shelter TMPDIR=$(mktemp -d /tmp/nix-XXXXXX)
    cleanup() { status=$?; cd /; rm -rf "$TMPDIR"; exit $status; }
    trap cleanup EXIT
    cd "$TMPDIR"
  '';

  # Nix 2.8 now and then kills a builder whose last program has just ended; one
  # that ends with an `exit` of bash's own it leaves alone.
  bash =
    attributes: script:
    derivation (
      {
        inherit system;
        builder = "/bin/bash";
        args = [
          "-euo"
          "pipefail"
          "-c"
          (prologue + script)
        ];
      }
      // attributes
    );

  # A builder that may use whatever the host has.
  hostBuild =
    {
      name,
      script,
      outputs ? [ "out" ],
      env ? { },
    }:
    bash
      (
        env
        // {
          inherit name outputs;
          PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
        }
      )
      ''
        source ${./debian.sh}
        source ${script}
      '';

  # A Debian package that need not be installed, with those of the packages it
  # depends on whose names match.
  unpacked =
    name: package: dependencies:
    hostBuild {
      inherit name;
      env = { inherit package dependencies; };
      script = ./unpacked.sh;
    };

  # One program of the host, by link: it stays the host's current one.
  hostProgram =
    program: debianPackage:
    bash
      {
        name = program;
        PATH = "/usr/bin:/bin";
      }
      ''
        host=$(command -v ${program}) || {
          echo "hostpkgs: no ${program} on this host (run apt-get install ${debianPackage})" >&2
          exit 1
        }
        mkdir -p $out/bin
        ln -s "$host" $out/bin/${program}
      '';

  # The programs that nixpkgs' stdenv has, and no others: a build that needs one
  # more must fail here too.
  tools = hostBuild {
    name = "stdenv-tools";
    script = ./tools.sh;
  };

  # The compiler, which not every build has.
  cc = hostBuild {
    name = "stdenv-cc";
    script = ./cc.sh;
  };

  runCommand =
    name: attributes: command:
    let
      inputs = attributes.nativeBuildInputs or [ ];
      package = bash (
        removeAttrs attributes [
          "meta"
          "nativeBuildInputs"
        ]
        // {
          inherit name;
          PATH = builtins.concatStringsSep ":" (map (input: "${input}/bin") (inputs ++ [ tools ]));
        }
      ) command;
    in
    package // { meta = attributes.meta or { }; };
in
{
  inherit
    cc
    hostBuild
    hostProgram
    runCommand
    unpacked
    ;
}
