package guest

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

// serviceScript begins the scripts of these tests: the programs, and the demo as result. Waiting has
// a limit, that of the container.
func serviceScript(t *testing.T) string {
	t.Helper()
	return "demo=" + harness.Build(t, "console-demo") + " PATH=" + harness.Build(t, "tools") + "/bin:$PATH\n" + `set -eu
ln -s $demo result
sudo() { "$@"; } # for a document, in a script that runs as root
# killed UNIT: kills the main process of a service, and waits for its restart.
killed() {
	kill -KILL "$(systemctl "$@" show --property=MainPID --value microvm-web.service)"
	until systemctl "$@" show --property=NRestarts microvm-web.service | grep -qx NRestarts=1 &&
		systemctl "$@" is-active --quiet microvm-web.service; do sleep 0.2; done
}
# shell: a client that logs in on the serial port, until the guest has computed a number.
shell() {
	local out=$(mktemp)
	connect-serial --name web < <(until grep -aq R-42 $out; do echo root; sleep 1; echo 'echo R-$((6*7))'; sleep 1; done) >$out &
	until grep -aom1 R-42 $out; do sleep 0.2; done
	kill $!
	wait $! || true
}
`
}

// serviceCommands returns the commands of docs/services.md: those of a user's service, and those of
// a system service.
func serviceCommands(t *testing.T) (ofUser, ofSystem string) {
	t.Helper()
	blocks := harness.BashBlocks(t, "docs/services.md")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of commands", len(blocks))
	}
	return blocks[0], blocks[1]
}

// TestUserService runs a VM as a service of a user: systemd starts it until its guest is ready,
// restarts it when it was killed, and stops its guest.
func TestUserService(t *testing.T) {
	t.Parallel()
	commands, _ := serviceCommands(t)
	printed, err := harness.InSystemd(t, "", serviceScript(t)+commands+`
systemd-analyze --user --man=no verify ~/.config/systemd/user/microvm-web.service
systemctl --user show --property=ActiveState,StatusText microvm-web.service | sort
shell
killed --user
console-log --name web --list
systemctl --user stop microvm-web.service
systemctl --user show --property=ActiveState,Result microvm-web.service | sort
console-log --name web --list
ls -A $XDG_RUNTIME_DIR/microvm
echo end
`)
	if err != nil {
		t.Fatalf("%v, output:\n%s", err, printed)
	}
	harness.InOrder(t, printed, "wrote /home/developer/.config/systemd/user/microvm-web.service\n",
		"tcp localhost:", "tcp localhost:", "\nActiveState=active\nStatusText=ready after ", "\nR-42\n",
		"killed\n", "running\n", "ActiveState=inactive\nResult=success\n", "killed\n", "stopped by ", "end\n")
}

// TestSystemService runs a VM as a system service, as a user that systemd makes. A member of its
// group uses it, and another user does not.
func TestSystemService(t *testing.T) {
	t.Parallel()
	_, commands := serviceCommands(t)
	printed, err := harness.InSystemdAsRoot(t, serviceScript(t)+`
as() { runuser --user "$1" -- "${@:2}"; }
fails() { if "$@" 2>&1; then exit 9; fi; }
fails result/bin/microvm-run units --system --install --group missing
getent group kvm || groupadd --system kvm
`+commands+`
useradd --groups vms member
systemd-analyze --man=no verify /etc/systemd/system/microvm-web.service
stat --format '%A %G %n' /run/microvm/web /run/microvm/web/ctl /run/microvm/web/serial/sock
uid=$(ps --no-headers -o uid -p "$(systemctl show --property=MainPID --value microvm-web.service)")
if [ "$uid" -ge 61184 ]; then echo a user of its own; fi # see DynamicUser= in systemd.exec(5)
(
	echo a member sees "$(as member console-status | grep web)"
	as member microvm-exec --name web -- echo hello from the guest
	fails as developer console-status
	fails as developer console-status --name web
	fails as developer nc.openbsd -N -U /run/microvm/web/ctl </dev/null
	fails as developer nc.openbsd -N -U /run/microvm/web/serial/sock </dev/null
	fails as member cat /run/microvm/web/serial/vm.out
	fails nc.openbsd -z localhost 4440
)
export -f shell
as member bash -c shell
killed
console-log --name web --list
as member microvm-shutdown --name web
until systemctl show --property=ActiveState microvm-web.service | grep -qx ActiveState=inactive; do sleep 0.2; done
console-log --name web --list

# As a user that exists: the group reads the logs too, and others do not.
useradd --system www
sudo ./result/bin/microvm-run --name logs units --system --install --group vms --user www >/dev/null
systemctl daemon-reload
systemctl start microvm-logs.service
systemctl stop microvm-logs.service
systemctl show --property=ActiveState,Result microvm-logs.service | sort
ls -A /run/microvm
as member console-log --name logs --list
fails as developer console-log --name logs
echo end
`)
	if err != nil {
		t.Fatalf("%v, output:\n%s", err, printed)
	}
	harness.InOrder(t, printed, `group: "missing" does not exist (create it: groupadd --system missing)`,
		"wrote /etc/systemd/system/microvm-web.service\n", "web: ready after ",
		"drwxr-x--- vms /run/microvm/web\nsrw-rw---- vms /run/microvm/web/ctl\nsrw-rw---- vms /run/microvm/web/serial/sock\n",
		"a user of its own\n", "a member sees web", "\nhello from the guest\n",
		"nothing is running", "it is a system service: use sudo, or join the group vms",
		"\nR-42\n", "killed\n", "running\n", "web: shut down by ", "killed\n", "stopped by ",
		"ActiveState=inactive\nResult=success\n--BOOT", "stopped by ", "permission denied (use sudo, or while it runs --follow)", "end\n")
}

// TestServiceWithMistake checks that a service with a wrong vm.json fails once, and is not
// restarted, and that a VM without a login is started when QEMU runs.
func TestServiceWithMistake(t *testing.T) {
	t.Parallel()
	mute := harness.DemoWith(t, map[string]any{
		"name": "mute", "checks": nil,
		"consoles": []any{map[string]any{"name": "serial", "device": "ttyS0", "port": 4440, "login": false}},
	})
	text := harness.ReadFile(t, mute)
	printed, err := harness.InSystemd(t, "", serviceScript(t)+`
cat >mute.json <<'END'
`+text+`
END
cp mute.json wrong.json
for name in mute wrong; do
	microvm-run --config $name.json --name $name units --install >/dev/null
done
echo '{}' >wrong.json
systemctl --user daemon-reload
if systemctl --user start microvm-wrong.service; then exit 9; fi
systemctl --user show --property=ActiveState,ExecMainStatus,NRestarts microvm-wrong.service | sort
systemctl --user start microvm-mute.service
systemctl --user show --property=ActiveState microvm-mute.service
systemctl --user stop microvm-mute.service
echo end
`)
	if err != nil {
		t.Fatalf("%v, output:\n%s", err, printed)
	}
	harness.InOrder(t, printed, "ActiveState=failed\nExecMainStatus=2\nNRestarts=0\n", "ActiveState=active\n", "end\n")
}
