# Links to the host's compiler, assembler and linker.
for file in /usr/bin/gcc /usr/include/stdio.h; do
  [ -e $file ] || {
    echo "hostpkgs: no $file on this host (run apt-get install gcc libc6-dev)" >&2
    exit 1
  }
done
mkdir -p "$out/bin"
for path in $(dpkg --listfiles binutils gcc | grep -E '^/usr/bin/.'); do
  ln -sf "$path" "$out/bin/"
done
