package relay

import (
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// Installed units are taken by a real systemd, in the way that the program says,
// and wrong settings fail a unit once, for good.
func TestInstalledUnits(t *testing.T) {
	t.Parallel()
	printed, err := harness.InSystemd(t, "", "PATH="+harness.Build(t, "tools")+"/bin:$PATH\n"+`set -eux
qemu-relay units --install | tee told
systemd-analyze --user --man=no verify ~/.config/systemd/user/*.service

# As told, but for starting them.
grep '^  systemctl' told | sed 's/ --now//' >next
. ./next
systemctl --user is-enabled qemu-serial-relay.service qemu-monitor-relay.service qemu-debugcon-relay.service

mkdir ~/.config/qemu-relay
echo '{"boots": 0}' >~/.config/qemu-relay/config.json
if systemctl --user start qemu-serial-relay.service; then exit 9; fi
systemctl --user show --property=ActiveState,Result,NRestarts,ExecMainStatus qemu-serial-relay.service

# One channel less.
echo '{"channels": {"monitor": {"enable": false}}}' >~/.config/qemu-relay/config.json
qemu-relay units --install
systemctl --user daemon-reload
if systemctl --user is-enabled qemu-monitor-relay.service; then exit 9; fi
ls -A ~/.config/systemd/user/default.target.wants
`)
	if err != nil {
		t.Fatalf("%v, it printed:\n%s", err, printed)
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
