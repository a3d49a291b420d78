package guest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// stockAgent is a script that starts QEMU's agent instead of ours, with its own libraries, on
// the port that udev would link to.
const stockAgent = `#!/bin/busybox sh
for name in /sys/class/virtio-ports/*/name; do
	[ "$(cat "$name")" != org.qemu.guest_agent.0 ] || port=${name%/name}
done
exec /etc/ld.so --library-path /etc /etc/qemu-ga -m virtio-serial -p "/dev/${port##*/}" -t /run
`

// TestStockAgentInTheGuest connects our client to QEMU's own agent in the guest.
func TestStockAgentInTheGuest(t *testing.T) {
	t.Parallel()
	qemuGA, err := exec.LookPath("qemu-ga")
	if err != nil {
		harness.Skip(t, "qemu-ga", "install qemu-guest-agent")
	}
	demo := harness.Build(t, "console-demo")
	files := map[string]string{"bin/microvm-agent": stockAgent, "etc/qemu-ga": harness.ReadFile(t, qemuGA)}
	for _, line := range strings.Split(harness.Must(t, harness.Root, "ldd", qemuGA), "\n") {
		if path := regexp.MustCompile(`/\S+`).FindString(line); path != "" {
			name := filepath.Base(path)
			if strings.HasPrefix(name, "ld-") {
				name = "ld.so"
			}
			files["etc/"+name] = harness.ReadFile(t, path)
		}
	}
	dir := harness.OwnFolders(t)
	config := harness.ChangedVM(t, demo, func(machine map[string]any) {
		// In /etc, because the archive does not create folders.
		for name, data := range files {
			machine["initrd"] = withFile(t, machine["initrd"].(string), name, data)
		}
	})
	socket := filepath.Join(dir, "agent")
	vm, _, _ := startGuest(t, harness.DemoProgram(t, "microvm-run"), append([]string{"--config", config}, agentArgs(socket)...)...)
	agent := dialAgent(t, socket)
	if name := agent.run("uname", "-n"); name != "console-demo\n" {
		t.Errorf("uname -n: %q", name)
	}
	agent.conn.Close()
	output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-agent"), "--ping", "unix:"+socket)
	if !regexp.MustCompile(`: guest agent \d+\.\d+\.\d+, [3-9]\d commands`).MatchString(output) {
		t.Error(output)
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	vm.Status()
}
