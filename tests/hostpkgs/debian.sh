# For builders that use the contents of a Debian package without installing it.

# unpack PACKAGE [PATTERN]: extracts a package into the current directory, and each of its
# direct and indirect dependencies whose whole name matches the extended regular
# expression. Package names that contain a version differ between releases of Debian; the
# dependencies have the current names.
unpack() {
  local packages=("$1") deb
  if [ $# = 2 ]; then
    mapfile -t packages < <(
      echo "$1"
      apt-cache depends --recurse --important "$1" 2>/dev/null | grep --line-regexp --extended-regexp "$2"
    )
  fi
  mkdir debs
  (cd debs && apt-get --quiet --option APT::Sandbox::User=root download "${packages[@]}") || {
    echo "hostpkgs: apt-get cannot download ${packages[*]} (run apt-get update)" >&2
    exit 1
  }
  for deb in debs/*; do
    dpkg --extract "$deb" .
  done
  rm -r debs
}
