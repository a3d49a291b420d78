package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestPortsAreGuarded checks that another user and a web page cannot use the consoles of a VM,
// which both have a root shell, and that the status lists their attempts.
func TestPortsAreGuarded(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		harness.Skip(t, "root", "only root can connect as another user; run scripts/test as root")
	}
	harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	for _, console := range []string{"serial", "console"} {
		onLoopbackAlone(t, vm.Port(console))
		owner := harness.Connect(t, vm.Port(console))
		harness.Login(owner)
		other := harness.Start(t, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "nc.openbsd", "127.0.0.1", vm.Port(console))
		other.Expect(`this console belongs to root \("shared": true admits other users\)`, 1)
		if text := other.Printed(); strings.Contains(text, "Linux version") {
			t.Errorf("%s: another user sees the console:\n%s", console, text)
		}
		// The request of a browser for a web page: its body would be typed, line by line.
		page := harness.Start(t, "curl", "-sS", "--http0.9", "-H", "Origin: http://evil.example", "-H", "Content-Type: text/plain",
			"--data-binary", "\ntouch /tmp/typed\n", "http://localhost:"+vm.Port(console)+"/")
		page.Status()
		owner.Send("echo S-$((6*7)) >/tmp/mine; ls /tmp; echo end-$((6*7))\n")
		owner.Expect(`end-42`, 1)
		if text := owner.Printed(); strings.Contains(text, "touch") || strings.Contains(text, "POST / HTTP") {
			t.Errorf("%s: the page has typed:\n%s", console, text)
		}
	}
	if left := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-exec"), "--", "ls", "/tmp"); left != "mine\n" {
		t.Errorf("the guest's /tmp has %q", left)
	}
	var status struct {
		Consoles []struct{ Refused int }
		Notes    []struct{ Text string }
	}
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(10 * time.Millisecond) {
		text := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-status"), "--json")
		if err := json.Unmarshal([]byte(text), &status); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if status.Consoles[0].Refused == 2 && status.Consoles[1].Refused == 2 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("the status does not list two refusals of each console: %s", text)
		}
	}
	if len(status.Notes) != 4 {
		t.Errorf("notes: %+v, want one for each refusal", status.Notes)
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	vm.Status()
}

// onLoopbackAlone reports an error if a socket listens on a port of another address than
// 127.0.0.1 and ::1, by /proc/net/tcp and tcp6.
func onLoopbackAlone(t *testing.T, port string) {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	const listen = "0A" // TCP_LISTEN
	found := 0
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // a kernel without IPv6
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			address, ok := strings.CutSuffix(fields[1], fmt.Sprintf(":%04X", number))
			if !ok || fields[3] != listen {
				continue
			}
			found++
			if address != "0100007F" && address != "00000000000000000000000001000000" {
				t.Errorf("port %s is served on %s", port, address)
			}
		}
	}
	if found == 0 {
		t.Errorf("port %s is not served", port)
	}
}
