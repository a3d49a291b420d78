# A kernel of Debian, $package, in the layout of nixpkgs' kernels: $out/bzImage and
# $modules/lib/modules/<version>. depmod makes modules.dep, as the package's scripts do when
# it is installed.
command -v depmod >/dev/null || {
  echo "hostpkgs: no depmod on this host (run apt-get install kmod)" >&2
  exit 1
}
unpack "$package" 'linux-.*'
mkdir -p "$out" "$modules/lib"
# Up to Debian 13 the files are in /boot and /lib, later in /usr/lib.
find . -name 'vmlinuz*' -type f -exec mv {} "$out/bzImage" \;
find . -path '*/lib/modules' -type d -prune -exec mv {} "$modules/lib/" \;
depmod --basedir "$modules" "$(ls "$modules/lib/modules")"
