# A kernel for guests, from fragments of options (nix/kernel). Everything that a fragment does
# not list is off.
{
  bc,
  bison,
  elfutils,
  flex,
  linuxPackages,
  stdenv,
}:
{
  name,
  # Files, of which a later one adds to the earlier ones.
  fragments,
}:
let
  configure = "bash ${../kernel/configure.sh} ${toString (map (fragment: "${fragment}") fragments)}";

  kernel = stdenv.mkDerivation {
    inherit name;
    inherit (linuxPackages.kernel) src;

    nativeBuildInputs = [
      bc
      bison
      flex
    ];
    # For objtool, which is built before the kernel.
    buildInputs = [ elfutils ];

    # The compiler flags that harden programs break a kernel.
    hardeningDisable = [ "all" ];

    # The same bytes on every machine, at any time.
    env = {
      ARCH = stdenv.hostPlatform.linuxArch;
      KBUILD_BUILD_HOST = "microvm-console";
      KBUILD_BUILD_TIMESTAMP = "Thu Jan  1 00:00:00 UTC 1970";
      KBUILD_BUILD_USER = "nix";
      KBUILD_BUILD_VERSION = "1";
    };

    # The kernel's makefiles have a variable of their own called src.
    postPatch = ''
      patchShebangs scripts tools/objtool
      unset src
    '';
    configurePhase = ''
      ${configure}
    '';
    # Debug information has the paths of the sources, and the image has its hash.
    buildPhase = ''
      make -j$NIX_BUILD_CORES KCFLAGS=-ffile-prefix-map="$PWD"=.
    '';
    installPhase = ''
      bash ${../kernel/install.sh} $out
    '';

    # There is nothing to strip or to patch.
    dontFixup = true;
    passthru = {
      target = "bzImage";
      inherit configure fragments;
    };
  };
in
# lib/modules is in the same output.
kernel // { modules = kernel; }
