package relay

import (
	"fmt"
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestUnitsOfTheModules runs the unchanged units of the modules in a real systemd, and starts
// QEMU on them as a user, as nix/checks/nixos.nix does on NixOS.
func TestUnitsOfTheModules(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	harness.Must(t, harness.Root, "cp", "tests/relay/testdata/session.sh", "scripts/run-qemu.sh", home)
	printed, err := harness.InSystemd(t, home, fmt.Sprintf("units=%s PATH=%s:$PATH\n", harness.Build(t, "checks."+harness.System+".relay-units"), filepath.Join(harness.Build(t, "tools"), "bin"))+`set -eux
mkdir -p ~/.config/systemd/user
for unit in $units/*.service; do ln -s $unit ~/.config/systemd/user/; done
systemctl --user daemon-reload
systemctl --user start qemu-serial-relay.service qemu-monitor-relay.service qemu-debugcon-relay.service
for channel in serial monitor debugcon; do
	test -p /tmp/qemu-$channel.in -a -p /tmp/qemu-$channel.out -a -S /tmp/qemu-$channel.sock -a -c /tmp/qemu-$channel.pty
done
timeout 120 bash ~/session.sh ~/run-qemu.sh
# Of a relay that was killed, no link to a terminal is left that the host gives away.
mkdir ~/.config/systemd/user/qemu-serial-relay.service.d
printf '[Service]\nRestart=no\n' >~/.config/systemd/user/qemu-serial-relay.service.d/once.conf
systemctl --user daemon-reload
test -c /tmp/qemu-serial.pty
systemctl --user kill --signal=KILL qemu-serial-relay.service
while systemctl --user is-active qemu-serial-relay.service; do sleep .1; done
test -L /tmp/qemu-serial.pty -a ! -e /tmp/qemu-serial.pty
`)
	if err != nil {
		t.Fatalf("%v, output:\n%s", err, printed)
	}
}
