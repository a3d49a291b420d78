# Programs and libraries of Debian packages that need not be installed. Wrappers make the
# programs find their files here instead of in /usr.
unpack "$package" "$dependencies"
mkdir -p "$out"
for folder in usr/bin usr/include usr/share/bison; do
  [ ! -e $folder ] || cp -r $folder "$out/"
done
for folder in lib usr/lib; do
  [ ! -e $folder/x86_64-linux-gnu ] || cp -r $folder/x86_64-linux-gnu/. "$out/lib"
done
[ ! -e "$out/bin" ] || find "$out/bin" -type f | while read -r program; do
  mv "$program" "$program.unpacked"
  printf '%s\n' '#!/bin/bash' \
    "export M4=$out/bin/m4 BISON_PKGDATADIR=$out/bison LD_LIBRARY_PATH=$out/lib" \
    "exec $program.unpacked \"\$@\"" >"$program"
  chmod +x "$program"
done
