# The kernel's own tools accept every option of each of our kernels (nix/kernel), and
# configure.sh reports an option that they do not accept.
{
  bison,
  flex,
  guest-kernel,
  guest-kernel-debug,
  guest-kernel-full,
  guest-kernel-kasan,
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
    CONFIG_PRINTK=n
    CONFIG_X86_64=n
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
    ${guest-kernel.configure}
    ${guest-kernel-full.configure}
    ${guest-kernel-debug.configure}
    ${guest-kernel-kasan.configure}
    if bash ${../kernel/configure.sh} ${wrong} 2>errors; then exit 1; fi
    # Two options whose dependencies are missing, one that does not exist, and one that is on.
    sed -n 's/^.*: \(CONFIG_[A-Z0-9_]*=[yn]\): .*/\1/p' errors | sort >named
    printf '%s\n' CONFIG_INPUT_EVDEV=y CONFIG_NO_SUCH_OPTION=y CONFIG_VIRTIO_CONSOLE=y CONFIG_X86_64=n | diff - named
  '';
  buildPhase = "true";
  installPhase = "cp named $out";
}
