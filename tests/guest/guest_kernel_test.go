package guest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// kernelDemo builds a demo with one of our kernels. If the kernel is not in the store, it is built
// only with the flag -all.
func kernelDemo(t *testing.T, kernel, demo string) string {
	t.Helper()
	words := append([]string{"path-info"}, strings.Fields(os.Getenv("NIX_FLAGS"))...)
	if _, err := harness.Command(t, harness.Root, "nix", append(words, ".#"+kernel)...); err != nil && !*harness.All {
		harness.Skip(t, "guest-kernel", kernel+" takes minutes to build (scripts/test --all does)")
	}
	return harness.Build(t, demo)
}

// minimalDemo builds the demo with guest-kernel.
func minimalDemo(t *testing.T) string {
	t.Helper()
	return kernelDemo(t, "guest-kernel", "console-demo-minimal")
}

func TestGuestKernelRunTest(t *testing.T) {
	t.Parallel()
	demo := minimalDemo(t)
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			harness.OwnFolders(t)
			output := harness.Must(t, harness.Root, filepath.Join(demo, "bin", "run-test"), "--machine", kind)
			if !strings.Contains(output, "14 passed, 0 failed") || !accelerated(kind).MatchString(output) {
				t.Error(output)
			}
		})
	}
}

// TestGuestKernelServesPrograms runs a static Go program in the guest, which tries the kernel
// features that Go programs and an agent need.
func TestGuestKernelServesPrograms(t *testing.T) {
	t.Parallel()
	demo := minimalDemo(t)
	harness.Setenv(t, "CGO_ENABLED", "0")
	guestProgram := filepath.Join(t.TempDir(), "guestprogram")
	harness.Must(t, ".", "go", "build", "-o", guestProgram, "./guestprogram")
	text := harness.ReadFile(t, guestProgram)
	config := harness.ChangedVM(t, demo, func(machine map[string]any) {
		machine["name"] = "console-demo" // the name that harness.Consoles expects
		machine["initrd"] = withFile(t, machine["initrd"].(string), "guestprogram", text)
	})
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			dir := harness.OwnFolders(t)
			vm := harness.Start(t, harness.Tool(t, "microvm-run"), "--config", config, "--auto-ports", "--machine", kind)
			vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
			terminal := harness.Start(t, "nc.openbsd", "-U", harness.Consoles(t, dir)[1].Relay.Socket)
			harness.Login(terminal)
			terminal.Send("/guestprogram\n")
			terminal.Expect(`tried\b`, 1)
			text := terminal.Printed()
			if fine := strings.Count(text, "fine: "); fine != 12 || strings.Contains(text, "lacking: ") {
				t.Errorf("%d of 12 features work:\n%s", fine, text)
			}
			harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
			if status := vm.Status(); status != 0 {
				t.Errorf("microvm-run has status %d", status)
			}
		})
	}
}

// TestGuestKernelReportsAPanic checks that a panic reaches QEMU through the pvpanic device.
// Without it, QEMU with -no-reboot ends with status 0.
func TestGuestKernelReportsAPanic(t *testing.T) {
	t.Parallel()
	demo := minimalDemo(t)
	config := harness.ChangedVM(t, demo, func(machine map[string]any) {
		machine["kernelParams"] = []string{"rdinit=/no/such/init"}
	})
	chardev := regexp.MustCompile(`socket,(id=\w+),[\w=,]*`)
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			harness.OwnFolders(t)
			line := harness.Must(t, harness.Root, harness.Tool(t, "microvm-run"), "--config", config, "--machine", kind, "--accel", "tcg",
				"--no-relay", "--dry-run", "--", "-no-reboot", "-action", "panic=exit-failure")
			qemu := harness.Start(t, "bash", "-c", "exec "+chardev.ReplaceAllString(line, "null,$1"))
			if status := qemu.Status(); status != 1 {
				text := qemu.Printed()
				t.Errorf("QEMU has status %d: %s", status, text)
			}
		})
	}
}

// withFile returns the path of a copy of an initrd with one more program: Linux unpacks
// concatenated archives (cpio, "newc").
func withFile(t *testing.T, initrd, name, text string) string {
	t.Helper()
	image := bytes.NewBufferString(harness.ReadFile(t, initrd))
	pad := func() { image.Write(make([]byte, -image.Len()&3)) }
	add := func(name string, mode, size int) {
		pad()
		// magic, inode, mode, uid, gid, links, mtime, size, devices, name's length, sum
		fmt.Fprintf(image, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
		pad()
	}
	add(name, 0o100755, len(text))
	image.WriteString(text)
	add("TRAILER!!!", 0, 0)
	pad()
	path := filepath.Join(t.TempDir(), "initrd")
	harness.WriteFile(t, path, image.String())
	return path
}
