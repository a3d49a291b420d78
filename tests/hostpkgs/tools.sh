# Links to the programs of the Debian packages that correspond to nixpkgs' stdenv.
mkdir -p "$out/bin"
for package in bash bzip2 coreutils diffutils file findutils gawk grep gzip make patch sed tar xz-utils; do
  # A package may be missing until a build needs it.
  for path in $(dpkg --listfiles "$package" 2>/dev/null | grep -E '^(/usr)?/bin/.'); do
    ln -sf "$path" "$out/bin/"
  done
done
ln -s bash "$out/bin/sh"
# Every Debian has an awk, but not always gawk.
[ -e "$out/bin/awk" ] || ln -s "$(command -v awk)" "$out/bin/awk"
