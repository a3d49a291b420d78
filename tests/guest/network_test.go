package guest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// forwardLine matches the line that microvm-run and console-status print for a forwarded port.
var forwardLine = regexp.MustCompile(`(?m)^forward localhost:([1-9][0-9]*) -> 80/tcp\r?$`)

// TestNetwork checks that a guest connects to this host, that forwarded ports lead into the guest,
// and that VMs of one vm.json, run-test's among them, run side by side.
func TestNetwork(t *testing.T) {
	t.Parallel()
	// The guest serves the number of its boot, and a page of this host.
	serve := "mkdir /www && cd /www && cp /proc/sys/kernel/random/boot_id boot && wget -qO host " + hostPage(t) + "; httpd"
	for _, machine := range []string{"q35", "microvm"} {
		t.Run(machine, func(t *testing.T) {
			t.Parallel()
			fixed := harness.FreePort(t)
			folder := diskVM(t, []any{}, map[string]any{
				"machine": machine,
				"network": map[string]any{"type": "user", "forward": []any{
					map[string]any{"host": fixed, "guest": 80}, map[string]any{"host": 0, "guest": 80},
				}},
			}, serve)
			first := startNetwork(t, folder, "console-demo")
			if first[0] != fmt.Sprint(fixed) {
				t.Errorf("vm.json has port %d, the VM port %s", fixed, first[0])
			}
			output, err := harness.Command(t, folder, "microvm-run", "--accel", accelerator(), "--name", "second")
			if err == nil || !strings.Contains(output, "address already in use") {
				t.Errorf("a second VM on the same port: %v: %s", err, output)
			}
			second := startNetwork(t, folder, "second")
			boots := map[string]int{}
			for _, port := range slices.Concat(first, second) {
				boots[get(t, "http://localhost:"+port+"/boot")]++
				if got := get(t, "http://localhost:"+port+"/host"); got != "from the host" {
					t.Errorf("the guest on port %s got %q from the host", port, got)
				}
			}
			if len(boots) != 2 {
				t.Errorf("the ports of two VMs, two of each, lead to the boots %v", boots)
			}
			if output := harness.Must(t, folder, "run-test", "--accel", accelerator(), "--lines", "500"); !strings.Contains(output, " 0 failed") {
				t.Errorf("run-test has not passed:\n%s", output)
			}
		})
	}
}

// startNetwork starts a VM with a name, and returns its forwarded ports, which console-status prints
// too.
func startNetwork(t *testing.T, folder, name string) (ports []string) {
	t.Helper()
	vm := harness.Start(t, "microvm-run", "--accel", accelerator(), "--name", name, "--auto-ports")
	vm.Expect(forwardLine.String(), 2)
	for _, line := range forwardLine.FindAllStringSubmatch(harness.Must(t, folder, "console-status", "--name", name), -1) {
		if !strings.Contains(vm.Printed(), line[0]) {
			t.Errorf("microvm-run has not printed %q:\n%s", line[0], vm.Printed())
		}
		ports = append(ports, line[1])
	}
	if len(ports) != 2 {
		t.Fatalf("%s has the ports %q", name, ports)
	}
	return ports
}

// hostPage serves a page on this host until the end of the test, and returns its address in a
// guest.
func hostPage(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: harness.WaitLimit, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "from the host")
	})}
	go func() { _ = server.Serve(listener) }() // until Close
	t.Cleanup(func() { _ = server.Close() })
	return fmt.Sprintf("http://10.0.2.2:%d/", listener.Addr().(*net.TCPAddr).Port)
}

// get returns a page of a guest, once the guest serves it.
func get(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{Timeout: harness.WaitLimit}
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(100 * time.Millisecond) {
		body, err := fetch(client, address)
		if err == nil {
			return body
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

func fetch(client *http.Client, address string) (string, error) {
	response, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// TestNetworkWithoutDriver checks that a guest whose image has no driver of the network card says
// so in one line. The image of the demo was made for a VM without a network.
func TestNetworkWithoutDriver(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.DemoWith(t, map[string]any{"network": map[string]any{"type": "user"}})
	harness.Start(t, harness.Tool(t, "microvm-run"), "--config", vm, "--accel", accelerator(), "--auto-ports").Expect(`READY after`, 1)
	log := "" // of both consoles: the drivers of hvc0 may be loaded after the script has started
	for _, console := range []string{"serial", "console"} {
		log += harness.Must(t, harness.Root, harness.Tool(t, "console-log"), "--config", vm, console)
	}
	if found := strings.Count(log, "network: "); found != 1 || !strings.Contains(log, "virtio_net") {
		t.Errorf("%d lines about the network:\n%s", found, log)
	}
}
