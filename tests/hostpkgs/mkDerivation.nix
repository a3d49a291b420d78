# nixpkgs' stdenv.mkDerivation: the phases of a build in C. An argument that is
# not listed here is an error, so that the flake keeps to the simple ones.
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
  # Debian's compiler protects nothing that it is not asked to, and nothing is
  # fixed up here.
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

      # nixpkgs' wrappers of the compiler do this.
      C_INCLUDE_PATH = folders "include";
      LIBRARY_PATH = folders "lib";
      LD_RUN_PATH = folders "lib";
    }
  )
  ''
    # A script's first line works here as it stands.
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
