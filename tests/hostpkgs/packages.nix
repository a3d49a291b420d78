# The package set. Each attribute has the name of that of nixpkgs, and the parts of it that
# the flake uses.
{ lib, system }:
let
  build = import ./build.nix { inherit system; };
  inherit (build)
    hostBuild
    hostProgram
    runCommand
    unpacked
    ;

  go = hostBuild {
    name = "go";
    script = ./go.sh;
  };

  busybox =
    hostBuild {
      name = "busybox-static";
      script = ./busybox.sh;
    }
    // {
      override =
        { enableStatic }:
        assert enableStatic;
        busybox;
    };

  buildGoModule = import ./buildGoModule.nix {
    inherit (build) cc;
    inherit go runCommand;
  };

  # A kernel and its modules from a Debian package.
  kernel =
    name: package:
    hostBuild {
      inherit name;
      env = { inherit package; };
      script = ./kernel.sh;
      outputs = [
        "out"
        "modules"
      ];
    };

  # goimports, shfmt, and a stand-in for treefmt. Debian has no nixfmt.
  formatters = buildGoModule {
    pname = "formatters";
    version = "0";
    src = ./treefmt;
    vendorHash = import ./treefmt/vendor-hash.nix;
    env.CGO_ENABLED = 0;
    buildPhase = "go install -ldflags \"$ldflags\" . tool";
  };
in
{
  inherit
    busybox
    buildGoModule
    go
    lib
    runCommand
    ;

  bc = unpacked "bc" "bc" "libreadline.*";
  bison = unpacked "bison" "bison" "m4";
  e2fsprogs = hostProgram "mkfs.ext4" "e2fsprogs";
  closureInfo = import ./closureInfo.nix { inherit runCommand; };
  elfutils = unpacked "elfutils" "libelf-dev" "libelf.*";
  erofs-utils =
    unpacked "erofs-utils" "erofs-utils"
      "lib(deflate|fuse3|lz4|lzma|pcre2|selinux|uuid|xxhash|zstd)[-0-9].*";
  flex = unpacked "flex" "flex" "m4";

  gotools = formatters;
  shfmt = formatters;
  treefmt = formatters;

  linuxPackages.kernel = kernel "linux-cloud" "linux-image-cloud-amd64" // {
    target = "bzImage";
    src = hostBuild {
      name = "linux-source.tar.xz";
      script = ./linux-source.sh;
    };
  };

  # For tests: nixpkgs' kernel has 9p, Debian's cloud kernel has not.
  linuxPackages.standard = kernel "linux-standard" "linux-image-amd64";

  # `nix develop` reads the environment of this build, which must have `outputs`.
  mkShell =
    { packages }:
    runCommand "shell" {
      nativeBuildInputs = packages;
      outputs = [ "out" ];
    } "touch $out";

  qemu_kvm = hostProgram "qemu-system-x86_64" "qemu-system-x86";

  runtimeShell = "/bin/bash";

  shellcheck = hostProgram "shellcheck" "shellcheck";

  stdenv = {
    hostPlatform = {
      inherit system;
      linuxArch = "x86_64";
      qemuArch = "x86_64";
    };
    mkDerivation = import ./mkDerivation.nix { inherit (build) cc runCommand; };
  };

  virtiofsd = hostProgram "virtiofsd" "virtiofsd";

  writeText =
    name: text:
    runCommand name {
      inherit text;
      passAsFile = [ "text" ];
    } "cp $textPath $out";
}
