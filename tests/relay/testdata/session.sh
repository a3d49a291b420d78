#!/bin/bash
# session.sh RUN-QEMU.SH: runs QEMU in a session with our relays, as a user does. QEMU has
# no disk; its firmware prints to the debug console.
set -eux
relays='qemu-serial-relay.service qemu-monitor-relay.service qemu-debugcon-relay.service'
systemctl --user is-active $relays
"$1" -m 32 -global isa-debugcon.iobase=0x402 &
until grep -a SeaBIOS /tmp/qemu-debugcon.log; do
	sleep 0.1
done
echo quit >/tmp/qemu-monitor.in
wait $!
qemu-relay log debugcon | grep -a SeaBIOS
systemctl --user is-active $relays
