# A kernel for guests with consoles and nothing else, everything built in:
# nix/kernel/config says what, and why.
{
  bc,
  bison,
  elfutils,
  flex,
  linuxPackages,
  stdenv,
}:
stdenv.mkDerivation {
  name = "guest-kernel";
  inherit (linuxPackages.kernel) src;

  nativeBuildInputs = [
    bc
    bison
    flex
  ];
  # For objtool, which the build makes for itself.
  buildInputs = [ elfutils ];

  # What a compiler adds to protect programs, a kernel cannot bear.
  hardeningDisable = [ "all" ];

  # The same bytes, whoever builds it, when and where.
  env = {
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
    bash ${../kernel/configure.sh} ${../kernel/config}
  '';
  buildPhase = ''
    make -j$NIX_BUILD_CORES bzImage
  '';
  installPhase = ''
    install -D -m 444 arch/x86/boot/bzImage $out/bzImage
    install -m 444 .config $out/config
  '';

  # There is nothing in it to strip or to patch.
  dontFixup = true;
  passthru.target = "bzImage";
}
