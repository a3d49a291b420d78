package tests

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var all = flag.Bool("all", false, "build what takes minutes: the guest kernel")

// minimal is the demo on the guest kernel. Where the store does not have that
// yet, it is built only if all is asked for.
func minimal(t *testing.T) string {
	t.Helper()
	words := append([]string{"path-info"}, strings.Fields(os.Getenv("NIX_FLAGS"))...)
	if _, err := command(t, root, "nix", append(words, ".#guest-kernel")...); err != nil && !*all {
		skip(t, "guest-kernel", "it takes minutes to build (scripts/test --all does)")
	}
	return build(t, "console-demo-minimal")
}

func TestGuestKernelRunTest(t *testing.T) {
	demo := minimal(t)
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			private(t)
			output := must(t, root, filepath.Join(demo, "bin", "run-test"), "--machine", kind)
			if !strings.Contains(output, "13 passed, 0 failed") || !strings.Contains(output, "machine type "+kind) {
				t.Error(output)
			}
		})
	}
}

// A static Go program in the guest finds what it and an agent need.
func TestGuestKernelServesPrograms(t *testing.T) {
	demo := minimal(t)
	setenv(t, "CGO_ENABLED", "0")
	guestProgram := filepath.Join(t.TempDir(), "guestprogram")
	must(t, ".", "go", "build", "-o", guestProgram, "./guestprogram")
	data, err := os.ReadFile(guestProgram)
	if err != nil {
		t.Fatal(err)
	}
	config := changedDemo(t, demo, func(machine map[string]any) {
		machine["name"] = "console-demo" // as consoles expects it
		machine["initrd"] = withFile(t, machine["initrd"].(string), "guestprogram", data)
	})
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			dir := private(t)
			vm := start(t, unbound(t, "microvm-run"), "--config", config, "--auto-ports", "--machine", kind)
			vm.expect(`console  hvc0   tcp localhost:\d+`, 1)
			terminal := start(t, "nc.openbsd", "-U", consoles(t, dir)[1].Relay.Socket)
			login(terminal)
			terminal.send("/guestprogram\n")
			terminal.expect(`tried\b`, 1)
			text, _ := terminal.look()
			if fine := strings.Count(text, "fine: "); fine != 12 || strings.Contains(text, "lacking: ") {
				t.Errorf("%d things of 12 are fine:\n%s", fine, text)
			}
			must(t, root, program(t, "microvm-shutdown"))
			if status := vm.status(); status != 0 {
				t.Errorf("microvm-run has status %d", status)
			}
		})
	}
}

// A panic reaches QEMU by the panic device: without it, a QEMU that may not
// restart its guest would end with status 0.
func TestGuestKernelTellsOfAPanic(t *testing.T) {
	demo := minimal(t)
	config := changedDemo(t, demo, func(machine map[string]any) {
		machine["kernelParams"] = []string{"rdinit=/no/such/init"}
	})
	chardev := regexp.MustCompile(`socket,(id=\w+),[\w=,]*`)
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			private(t)
			line := must(t, root, unbound(t, "microvm-run"), "--config", config, "--machine", kind, "--accel", "tcg",
				"--no-relay", "--dry-run", "--", "-no-reboot", "-action", "panic=exit-failure")
			qemu := start(t, "bash", "-c", "exec "+chardev.ReplaceAllString(line, "null,$1"))
			if status := qemu.status(); status != 1 {
				text, _ := qemu.look()
				t.Errorf("QEMU has status %d: %s", status, text)
			}
		})
	}
}

// unbound is one of our programs that is bound to no machine.
func unbound(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(build(t, "tools"), "bin", name)
}

// changedDemo is a demo's vm.json with a change.
func changedDemo(t *testing.T, demo string, change func(machine map[string]any)) string {
	t.Helper()
	var machine map[string]any
	text, err := os.ReadFile(filepath.Join(demo, "share", "microvm", "vm.json"))
	if err == nil {
		err = json.Unmarshal(text, &machine)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(machine)
	if text, err = json.Marshal(machine); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vm.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withFile is a copy of an initrd with one more program in it: Linux unpacks
// archives (cpio, "newc") that stand one behind the other.
func withFile(t *testing.T, initrd, name string, data []byte) string {
	t.Helper()
	archive, err := os.ReadFile(initrd)
	if err != nil {
		t.Fatal(err)
	}
	image := bytes.NewBuffer(archive)
	pad := func() { image.Write(make([]byte, -image.Len()&3)) }
	add := func(name string, mode, size int) {
		pad()
		// magic, inode, mode, uid, gid, links, mtime, size, devices, name's length, sum
		fmt.Fprintf(image, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
		pad()
	}
	add(name, 0o100755, len(data))
	image.Write(data)
	add("TRAILER!!!", 0, 0)
	pad()
	path := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(path, image.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
