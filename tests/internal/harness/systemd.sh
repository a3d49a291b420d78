#!/bin/sh
# systemd.sh FOLDER USER: boots this machine's systemd in a container, on an overlay of this
# machine's files that is discarded afterwards, and runs FOLDER/home/script there as root or as
# developer, an ordinary user, whose home is FOLDER/home. The output of the script is written to
# FOLDER/home/output, and its exit status is that of systemd.sh.
#
# It must run under `unshare --mount --pid --fork --kill-child --mount-proc`, which ends
# all its mounts and processes.
set -eu
dir=$1 runas=$2 machine=$dir/m/root user=developer uid=4711
session="XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus"
[ "$runas" = $user ] || session=

# groups enter|leave: moves this process into a cgroup of its own and back, because two such
# containers must not share one.
groups() {
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
# The QEMU that scripts/with-qemu may have mounted: an overlay does not include the mounts
# on its lower folder.
qemu=/usr/bin/qemu-system-x86_64
! mountpoint -q $qemu || cp --remove-destination $qemu "$machine$qemu"

echo "$user:x:$uid:$uid::/home/$user:/bin/bash" >>"$machine/etc/passwd"
echo "$user:x:$uid:" >>"$machine/etc/group"
echo "$user:*:19000::::::" >>"$machine/etc/shadow"
# Linger runs the user's services without a login.
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
User=$runas
WorkingDirectory=/home/$user
Environment=$session
ExecStart=/bin/bash /home/$user/script
StandardOutput=file:/home/$user/output
StandardError=inherit
END

status=0
# -h: the targets of links, such as programs in the Nix store, keep their owner.
chown -Rh "$uid:$uid" "$dir/home/"
cat /proc/self/cgroup >"$dir/groups"
groups enter
systemd-nspawn --quiet --boot --machine=systemd-test --register=no --keep-unit --link-journal=no --private-network \
	--directory="$machine" --bind="$dir/home:/home/$user" --bind-ro=/nix --console=pipe -- systemd.unit=script.service || status=$?
cat /proc/self/cgroup >"$dir/groups"
groups leave
exit $status
