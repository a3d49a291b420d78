# For the builders that need a Debian package which need not be installed.

# unpack PACKAGE: its files, below the current directory.
unpack() {
  apt-get --quiet --option APT::Sandbox::User=root download "$1" || {
    echo "hostpkgs: apt-get cannot download $1 (run apt-get update)" >&2
    exit 1
  }
  dpkg --extract "$1"_*.deb .
}

# dependency PACKAGE PATTERN: the package of that name which PACKAGE asks for.
dependency() {
  apt-cache depends "$1" 2>/dev/null | sed -n "s/^ *Depends: \($2\)$/\1/p" | grep . || {
    echo "hostpkgs: apt knows no $1 (run apt-get update)" >&2
    exit 1
  }
}
