# For the builders that need a Debian package which need not be installed.

# unpack PACKAGE [PATTERN]: extracts a package below the current directory, and
# each of the packages that it depends on, directly or not, whose whole name
# matches the extended regular expression. Names with a version in them differ
# from one release of Debian to the next; the dependencies have the current ones.
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
