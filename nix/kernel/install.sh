# install.sh DIR: installs a kernel from its source, after `make`.
#
# DIR/bzImage and DIR/config; DIR/vmlinux if it has debug information; and
# DIR/lib/modules/VERSION with the names of the built-in drivers (modules.builtin) and the
# modules, which `make modules_install` would install too, but not without CONFIG_MODULES.
set -e
out=$1
install -D -m 444 arch/x86/boot/bzImage "$out/bzImage"
install -m 444 .config "$out/config"
if grep -qx CONFIG_DEBUG_INFO=y .config; then
  install -m 444 vmlinux "$out/vmlinux"
fi

modules=$out/lib/modules/$(<include/config/kernel.release)
install -D -m 444 -t "$modules" modules.builtin
# modules.dep has what depmod would write: no module of ours depends on another one.
touch "$modules/modules.dep"
shopt -s globstar nullglob
for module in **/*.ko; do
  install -D -m 444 "$module" "$modules/kernel/$module"
  strip --strip-debug "$modules/kernel/$module"
  echo "kernel/$module:" >>"$modules/modules.dep"
done
