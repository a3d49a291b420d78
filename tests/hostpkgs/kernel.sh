# Debian's kernel for clouds, in the shape of nixpkgs' kernels: $out/bzImage and
# $modules/lib/modules/<version>. The package's own scripts would make modules.dep.
command -v depmod >/dev/null || {
  echo "hostpkgs: no depmod on this host (run apt-get install kmod)" >&2
  exit 1
}
image=$(dependency linux-image-cloud-amd64 'linux-image-.*')
unpack "$image"
version=${image#linux-image-}
mkdir -p "$out" "$modules/lib/modules"
cp "boot/vmlinuz-$version" "$out/bzImage"
find . -type d -path "*/lib/modules/$version" -exec cp -r {} "$modules/lib/modules/" \;
depmod --basedir "$modules" "$version"
