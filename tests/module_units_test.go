package tests

import "testing"

// The units that the modules yield, as they are, run in a real systemd.
func TestUnitsOfTheModules(t *testing.T) {
	printed, err := inSystemd(t, "", "units="+build(t, "checks."+system+".relay-units")+"\n"+`set -eux
mkdir -p ~/.config/systemd/user
for unit in $units/*.service; do ln -s $unit ~/.config/systemd/user/; done
systemctl --user daemon-reload
systemctl --user start qemu-serial-relay.service qemu-monitor-relay.service qemu-debugcon-relay.service
systemctl --user is-active qemu-serial-relay.service qemu-monitor-relay.service qemu-debugcon-relay.service
for channel in serial monitor debugcon; do
	test -p /tmp/qemu-$channel.in -a -p /tmp/qemu-$channel.out -a -S /tmp/qemu-$channel.sock -a -c /tmp/qemu-$channel.pty
done
`)
	if err != nil {
		t.Fatalf("%v, it printed:\n%s", err, printed)
	}
}
