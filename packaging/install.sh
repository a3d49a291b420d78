#!/bin/sh
# Installs microvm-console from the folder that holds this script.
#
#	./install.sh [--prefix DIR]              installs below DIR (default: /usr/local)
#	./install.sh [--prefix DIR] --uninstall  removes what was installed there
#
# It copies bin and share, and writes the units of qemu-relay for all users, with the default
# settings; after a change of its settings, a user runs qemu-relay units --install. Files of
# an older version that this one does not have are removed.
set -eu
umask 022

fail() {
	echo "install.sh: $*" >&2
	exit 1
}

usage() {
	echo "usage: install.sh [--prefix DIR] [--uninstall]" >&2
	exit 2
}

prefix=/usr/local uninstall=''
while [ $# -gt 0 ]; do
	case $1 in
	--prefix)
		[ -n "${2:-}" ] || usage
		prefix=$2
		shift
		;;
	--uninstall) uninstall=yes ;;
	*) usage ;;
	esac
	shift
done
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
cd "$(dirname "$0")"

# systemd looks for user units in lib of /usr and /usr/local, and of a home only in
# ~/.local/share.
units=lib/systemd/user
case $prefix/ in
"${HOME:-/nonexistent}"/*) units=share/systemd/user ;;
esac

# The paths that are installed, relative to the prefix.
list=share/doc/microvm-console/installed

# remove_others removes what an earlier run has installed, but for the paths on stdin.
remove_others() {
	kept=$(cat)
	[ ! -e "$prefix/$list" ] || while read -r path; do
		echo "$kept" | grep -qxF -e "$path" || rm -f "$prefix/$path"
	done <"$prefix/$list"
}

if [ -n "$uninstall" ]; then
	[ -e "$prefix/$list" ] || fail "$prefix: microvm-console is not installed there (name the folder with --prefix)"
	[ -w "$prefix/bin" ] || fail "$prefix: cannot write there (run this with sudo)"
	remove_others </dev/null
	rm "$prefix/$list"
	find "$prefix/share/doc/microvm-console" -depth -type d -empty -delete
	echo "removed microvm-console from $prefix"
	exit
fi

for dir in "$prefix/bin" "$prefix/share"; do
	mkdir -p "$dir" 2>/dev/null || :
	[ -w "$dir" ] || fail "$dir: cannot write there (run this with sudo, or install below your home: --prefix ~/.local)"
done
find bin share -type f | while read -r path; do
	mode=644
	[ ! -x "$path" ] || mode=755
	install -D -m "$mode" "$path" "$prefix/$path"
done
# Not with the settings of the user that runs this.
env -i HOME=/nonexistent "$prefix/bin/qemu-relay" units --output "$prefix/$units" >/dev/null
{
	find bin share -type f
	cd "$prefix"
	find "$units" -name 'qemu-*-relay.service'
} | sort >"$prefix/$list.new"
remove_others <"$prefix/$list.new"
mv "$prefix/$list.new" "$prefix/$list"

echo "installed microvm-console $(cat share/doc/microvm-console/VERSION) in $prefix (documents and examples: $prefix/share/doc/microvm-console)"
case :$PATH: in
*:"$prefix/bin":*) ;;
*) echo "$prefix/bin is not in PATH (add it: export PATH=\"$prefix/bin:\$PATH\")" ;;
esac
