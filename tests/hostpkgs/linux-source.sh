# The source of Debian's kernel, as a tar file.
unpack linux-source 'linux-source-.*'
cp usr/src/linux-source-*.tar.xz "$out"
