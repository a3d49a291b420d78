# nixpkgs' stdenv.mkDerivation: the phases of a build in C. Other arguments are errors, so
# that the flake uses only these.
{ cc, runCommand }:
{
  name,
  src,
  nativeBuildInputs ? [ ],
  buildInputs ? [ ],
  env ? { },
  postPatch ? "",
  configurePhase,
  buildPhase,
  installPhase,
  # Debian's compiler hardens nothing by default, and a fixup phase does not exist here.
  hardeningDisable ? [ ],
  dontFixup ? true,
  passthru ? { },
}:
let
  folders = kind: builtins.concatStringsSep ":" (map (input: "${input}/${kind}") buildInputs);
in
assert dontFixup && (hardeningDisable == [ ] || hardeningDisable == [ "all" ]);
runCommand name
  (
    env
    // {
      inherit src;
      nativeBuildInputs = nativeBuildInputs ++ [ cc ];

      # nixpkgs' compiler wrappers set the same paths.
      C_INCLUDE_PATH = folders "include";
      LIBRARY_PATH = folders "lib";
      LD_RUN_PATH = folders "lib";
    }
  )
  ''
    # The first lines of scripts need no change on this host.
    patchShebangs() { :; }
    [ "$NIX_BUILD_CORES" -gt 0 ] || NIX_BUILD_CORES=$(nproc)

    tar --extract --file "$src"
    cd -- *
    ${postPatch}
    ${configurePhase}
    ${buildPhase}
    ${installPhase}
  ''
// passthru
