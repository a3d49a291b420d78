# The source of Debian's kernel, packed.
source=$(dependency linux-source 'linux-source-.*')
unpack "$source"
cp "usr/src/$source.tar.xz" "$out"
