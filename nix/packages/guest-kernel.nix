# A kernel for guests that need their consoles and little else, without modules.
# nix/kernel/config has its options, and the reason for each.
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
    bash ${../kernel/configure.sh} ${../kernel/config}
  '';
  buildPhase = ''
    make -j$NIX_BUILD_CORES bzImage
  '';
  installPhase = ''
    install -D -m 444 arch/x86/boot/bzImage $out/bzImage
    install -m 444 .config $out/config
  '';

  # There is nothing to strip or to patch.
  dontFixup = true;
  passthru.target = "bzImage";
}
