package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stockAgent starts QEMU's agent in the place of ours, with libraries of its
// own, on the port where udev would have put it.
const stockAgent = `#!/bin/busybox sh
for name in /sys/class/virtio-ports/*/name; do
	[ "$(cat "$name")" != org.qemu.guest_agent.0 ] || port=${name%/name}
done
exec /stock/ld.so --library-path /stock /stock/qemu-ga -m virtio-serial -p "/dev/${port##*/}" -t /run
`

// QEMU's own agent in the guest, with our client.
func TestStockAgentInTheGuest(t *testing.T) {
	qemuGA, err := exec.LookPath("qemu-ga")
	if err != nil {
		skip(t, "qemu-ga", "install qemu-guest-agent")
	}
	demo := build(t, "console-demo")
	files := map[string][]byte{"bin/microvm-agent": []byte(stockAgent), "stock/qemu-ga": read(t, qemuGA)}
	for _, line := range strings.Split(must(t, root, "ldd", qemuGA), "\n") {
		if path := regexp.MustCompile(`/\S+`).FindString(line); path != "" {
			name := filepath.Base(path)
			if strings.HasPrefix(name, "ld-") {
				name = "ld.so"
			}
			files["stock/"+name] = read(t, path)
		}
	}
	dir := private(t)
	initrd := filepath.Join(dir, "initrd")
	var machine struct{ Initrd string }
	if err := json.Unmarshal(read(t, filepath.Join(demo, "share", "microvm", "vm.json")), &machine); err != nil {
		t.Fatal(err)
	}
	// The kernel unpacks one archive behind the other.
	write(t, initrd, append(read(t, machine.Initrd), archive("stock", files)...))
	config := changed(t, demo, map[string]any{"initrd": initrd})

	socket := filepath.Join(dir, "agent")
	vm, _, _ := guest(t, program(t, "microvm-run"), append([]string{"--config", config}, agentArgs(socket)...)...)
	agent := dialAgent(t, socket)
	if name := agent.run("uname", "-n"); name != "console-demo\n" {
		t.Errorf("uname -n: %q", name)
	}
	agent.conn.Close()
	output := must(t, root, program(t, "microvm-agent"), "--ping", "unix:"+socket)
	if !regexp.MustCompile(`: guest agent \d+\.\d+\.\d+, [3-9]\d commands`).MatchString(output) {
		t.Error(output)
	}
	must(t, root, program(t, "microvm-shutdown"))
	vm.status()
}

// changed writes the vm.json of a demo with other fields, and returns its path.
func changed(t *testing.T, demo string, fields map[string]any) string {
	t.Helper()
	machine := map[string]any{}
	err := json.Unmarshal(read(t, filepath.Join(demo, "share", "microvm", "vm.json")), &machine)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(machine, fields)
	text, err := json.Marshal(machine)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vm.json")
	write(t, path, text)
	return path
}

// archive is a cpio archive of programs in a folder and elsewhere.
func archive(folder string, files map[string][]byte) []byte {
	var b bytes.Buffer
	entry := func(name string, mode fs.FileMode, kind int, data []byte) {
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 0, kind|int(mode), 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		b.WriteString(name + "\x00" + strings.Repeat("\x00", (4-(110+len(name)+1)%4)%4))
		b.Write(append(data, make([]byte, (4-len(data)%4)%4)...))
	}
	entry(folder, 0o755, 0o040000, nil)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry(name, 0o755, 0o100000, files[name])
	}
	entry("TRAILER!!!", 0, 0, nil)
	return b.Bytes()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
