# The kernel's own tools accept every option of nix/kernel/config, and configure.sh
# reports an option that they do not accept.
{
  bison,
  flex,
  linuxPackages,
  stdenv,
  writeText,
}:
let
  wrong = writeText "wrong-config" ''
    # CONFIG_IN_A_COMMENT=y
    CONFIG_64BIT=y
    CONFIG_NO_SUCH_OPTION=y
    CONFIG_VIRTIO_CONSOLE=y
    optional CONFIG_NO_SUCH_OPTION_HERE=y
    optional CONFIG_INPUT_EVDEV=y
  '';
in
stdenv.mkDerivation {
  name = "kernel-config";
  inherit (linuxPackages.kernel) src;
  nativeBuildInputs = [
    bison
    flex
  ];
  env.ARCH = stdenv.hostPlatform.linuxArch;
  postPatch = ''
    patchShebangs scripts
    unset src
  '';
  configurePhase = ''
    bash ${../kernel/configure.sh} ${../kernel/config}
    if bash ${../kernel/configure.sh} ${wrong} 2>errors; then exit 1; fi
    # Two options whose dependencies are missing, and one that does not exist.
    sed -n 's/^.*: \(CONFIG_[A-Z0-9_]*=y\): not in .*/\1/p' errors | sort >named
    printf '%s\n' CONFIG_INPUT_EVDEV=y CONFIG_NO_SUCH_OPTION=y CONFIG_VIRTIO_CONSOLE=y | diff - named
  '';
  buildPhase = "true";
  installPhase = "cp named $out";
}
