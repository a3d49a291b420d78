# The source of Debian's kernel, packed.
unpack linux-source 'linux-source-.*'
cp usr/src/linux-source-*.tar.xz "$out"
