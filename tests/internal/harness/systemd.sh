#!/bin/sh
# Boots this machine's own systemd in a container, on a copy of this machine's
# files that is forgotten afterwards, and has an ordinary user run a script
# there, whose exit status it gives: systemd.sh FOLDER, where FOLDER/home is the
# user's home and home/script the script; its output goes to home/output.
#
# To be run under `unshare --mount --pid --fork --kill-child --mount-proc`: all
# mounts and processes end with it.
set -eu
dir=$1 machine=$dir/m/root user=developer uid=4711

# A group of processes of our own, or two such containers would share one.
groups() { # groups enter|leave
	mkdir -p "$dir/cg"
	while IFS=: read -r id name path; do
		case $id:$name in
		*:name=systemd) mount -t cgroup -o none,name=systemd cgroup "$dir/cg" ;;
		0:) mount -t cgroup2 cgroup2 "$dir/cg" ;;
		*) continue ;;
		esac
		case $1 in
		enter)
			mkdir "$dir/cg$path/${dir##*/}"
			echo 0 >"$dir/cg$path/${dir##*/}/cgroup.procs"
			;;
		leave)
			echo 0 >"$dir/cg${path%/*}/cgroup.procs"
			find "$dir/cg$path" -depth -type d -exec rmdir {} +
			;;
		esac
		umount "$dir/cg"
	done <"$dir/groups"
}

mkdir "$dir/m"
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs "$dir/m"
mkdir "$dir/m/upper" "$dir/m/work" "$machine"
mount -t overlay -o "lowerdir=/,upperdir=$dir/m/upper,workdir=$dir/m/work" overlay "$machine"
# A QEMU that scripts/with-qemu has put in the place of this machine's: an overlay
# does not see what is mounted below it.
qemu=/usr/bin/qemu-system-x86_64
! mountpoint -q $qemu || cp --remove-destination $qemu "$machine$qemu"

echo "$user:x:$uid:$uid::/home/$user:/bin/bash" >>"$machine/etc/passwd"
echo "$user:x:$uid:" >>"$machine/etc/group"
echo "$user:*:19000::::::" >>"$machine/etc/shadow"
# The user's own services live without a login.
mkdir -p "$machine/var/lib/systemd/linger"
: >"$machine/var/lib/systemd/linger/$user"
cat >"$machine/etc/systemd/system/script.service" <<END
[Unit]
Requires=user@$uid.service systemd-logind.service dbus.service
After=user@$uid.service systemd-logind.service dbus.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
User=$user
WorkingDirectory=/home/$user
Environment=XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus
ExecStart=/bin/bash /home/$user/script
StandardOutput=file:/home/$user/output
StandardError=inherit
END

status=0
# Not what links lead to, as the programs in the store of Nix.
chown -Rh "$uid:$uid" "$dir/home/"
cat /proc/self/cgroup >"$dir/groups"
groups enter
systemd-nspawn --quiet --boot --machine=systemd-test --register=no --keep-unit --link-journal=no --private-network \
	--directory="$machine" --bind="$dir/home:/home/$user" --bind-ro=/nix --console=pipe -- systemd.unit=script.service || status=$?
cat /proc/self/cgroup >"$dir/groups"
groups leave
exit $status
