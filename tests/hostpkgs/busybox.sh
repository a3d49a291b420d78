# Debian's static busybox.
unpack busybox-static
mkdir -p "$out/bin"
find . -name busybox -type f -exec install {} "$out/bin/" \;
test -x "$out/bin/busybox"
