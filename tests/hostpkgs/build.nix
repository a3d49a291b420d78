# Builders: bash scripts that use the host's own programs.
{ system }:
let
  # The start of every build. nixpkgs' builds run in /build, so the directory has a short
  # name here too: the path of a Unix socket in it may have 107 bytes at most. HOME is a
  # directory that not even root can create; without a sandbox, a build could create Nix's
  # /homeless-shelter.
  prologue = ''
    export HOME=/proc/homeless-shelter TMPDIR=$(mktemp -d /tmp/nix-XXXXXX)
    cleanup() { status=$?; cd /; rm -rf "$TMPDIR"; exit $status; }
    trap cleanup EXIT
    cd "$TMPDIR"
  '';

  # Nix 2.8 sometimes kills a builder whose last command is a program. It does not if the
  # last command is bash's own `exit`.
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

  # A builder that may use every program of the host.
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

  # The contents of a Debian package, which need not be installed, and of those of its
  # dependencies whose names match a regular expression.
  unpacked =
    name: package: dependencies:
    hostBuild {
      inherit name;
      env = { inherit package dependencies; };
      script = ./unpacked.sh;
    };

  # A link to one program of the host, which follows its upgrades.
  hostProgram =
    program: debianPackage:
    bash
      {
        name = program;
        PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec";
      }
      ''
        host=$(command -v ${program}) || {
          echo "hostpkgs: no ${program} on this host (run apt-get install ${debianPackage})" >&2
          exit 1
        }
        mkdir -p $out/bin
        ln -s "$host" $out/bin/${program}
      '';

  # The programs of nixpkgs' stdenv and no others, so that a build that needs another one
  # fails here too.
  tools = hostBuild {
    name = "stdenv-tools";
    script = ./tools.sh;
  };

  # The compiler, for the builds that ask for it.
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
