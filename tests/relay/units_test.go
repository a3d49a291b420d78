package relay

import (
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestInstalledUnits starts installed units in a real systemd with the commands that the program
// prints. A unit with wrong settings fails once and is not restarted.
func TestInstalledUnits(t *testing.T) {
	t.Parallel()
	printed, err := harness.InSystemd(t, "", "PATH="+harness.Build(t, "tools")+"/bin:$PATH\n"+`set -eux
qemu-relay units --install | tee printed
systemd-analyze --user --man=no verify ~/.config/systemd/user/*.service

# The printed commands, without starting the units.
grep '^  systemctl' printed | sed 's/ --now//' >next
. ./next
systemctl --user is-enabled qemu-serial-relay.service qemu-monitor-relay.service qemu-debugcon-relay.service

mkdir ~/.config/qemu-relay
echo '{"boots": 0}' >~/.config/qemu-relay/config.json
if systemctl --user start qemu-serial-relay.service; then exit 9; fi
systemctl --user show --property=ActiveState,Result,NRestarts,ExecMainStatus qemu-serial-relay.service

# Without one channel.
echo '{"channels": {"monitor": {"enable": false}}}' >~/.config/qemu-relay/config.json
qemu-relay units --install
systemctl --user daemon-reload
if systemctl --user is-enabled qemu-monitor-relay.service; then exit 9; fi
ls -A ~/.config/systemd/user/default.target.wants
`)
	if err != nil {
		t.Fatalf("%v, output:\n%s", err, printed)
	}
	for _, want := range []string{
		"\nenabled\nenabled\nenabled\n",
		"\nActiveState=failed\n", "\nResult=exit-code\n", "\nNRestarts=0\n", "\nExecMainStatus=2\n",
		"\nremoved /home/developer/.config/systemd/user/qemu-monitor-relay.service\n",
		"\nreplaced /home/developer/.config/systemd/user/qemu-serial-relay.service\n",
		"\n  systemctl --user stop qemu-monitor-relay.service\n",
		"\nqemu-debugcon-relay.service\nqemu-serial-relay.service\n",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is missing in\n%s", want, printed)
		}
	}
}
