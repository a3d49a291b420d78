package guest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// agentArgs returns the usual arguments with which QEMU itself serves the guest agent's port on
// a socket. microvm-run then does not use the port.
func agentArgs(socket string) []string {
	return []string{
		"--", "-chardev", "socket,id=agent,path=" + socket + ",server=on,wait=off",
		"-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
	}
}

// agent is a client of the guest agent that writes its requests by hand.
type agent struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// dialAgent connects and waits until the guest agent answers.
func dialAgent(t *testing.T, socket string) agent {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(harness.WaitLimit)); err != nil {
		t.Fatal(err)
	}
	a := agent{t, conn, bufio.NewReader(conn)}
	a.say("\xFF" + `{"execute":"guest-sync-delimited","arguments":{"id":4711}}`)
	if _, err := a.lines.ReadString(0xFF); err != nil {
		t.Fatalf("no agent answers: %v", err)
	}
	a.hear("4711")
	return a
}

func (a agent) say(request string) {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.conn, request); err != nil {
		a.t.Fatal(err)
	}
}

// hear reads an answer, which must match pattern, and returns it.
func (a agent) hear(pattern string) (value json.RawMessage) {
	a.t.Helper()
	line, err := a.lines.ReadBytes('\n')
	if err != nil {
		a.t.Fatalf("no answer: %v", err)
	}
	var answer struct{ Return json.RawMessage }
	if err := json.Unmarshal(line, &answer); err != nil || !regexp.MustCompile(pattern).Match(answer.Return) {
		a.t.Fatalf("the answer is %s, want %q", line, pattern)
	}
	return answer.Return
}

// run runs a command in the guest and returns its output.
func (a agent) run(path string, args ...string) string {
	a.t.Helper()
	words, err := json.Marshal(append([]string{}, args...))
	if err != nil {
		a.t.Fatal(err)
	}
	a.say(fmt.Sprintf(`{"execute":"guest-exec","arguments":{"path":%q,"arg":%s,"capture-output":true}}`, path, words))
	var started struct{ PID int }
	var status struct {
		Exited   bool
		ExitCode int
		Out      []byte `json:"out-data"`
	}
	err = json.Unmarshal(a.hear(`"pid"`), &started)
	for err == nil && !status.Exited {
		a.say(fmt.Sprintf(`{"execute":"guest-exec-status","arguments":{"pid":%d}}`, started.PID))
		err = json.Unmarshal(a.hear(`"exited"`), &status)
		time.Sleep(10 * time.Millisecond) // the protocol cannot wait for the end
	}
	if err != nil || status.ExitCode != 0 {
		a.t.Fatalf("%s: %v, status %d", path, err, status.ExitCode)
	}
	return string(status.Out)
}

// startGuest starts a VM on free ports, with nc on both consoles.
func startGuest(t *testing.T, run string, args ...string) (vm, serial, console *harness.Session) {
	t.Helper()
	vm = harness.Start(t, run, append([]string{"--auto-ports"}, args...)...)
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	text := vm.Printed()
	ports := regexp.MustCompile(`tcp localhost:(\d+)`).FindAllStringSubmatch(text, 2)
	return vm, harness.Connect(t, ports[0][1]), harness.Connect(t, ports[1][1])
}

// TestGuestAgent sends our agent the requests of stock tools, even after a restart of the
// guest. At the end the agent shuts the guest down.
func TestGuestAgent(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			socket := filepath.Join(harness.OwnFolders(t), "agent")
			vm, serial, console := startGuest(t, harness.DemoProgram(t, "microvm-run"), append([]string{"--machine", kind}, agentArgs(socket)...)...)
			stock := harness.Start(t, "socat", "-", "unix-connect:"+socket)
			stock.Send("{\"execute\":\"guest-ping\"}\n")
			stock.Expect(`\{"return":\{\}\}`, 1)
			stock.Cmd.Process.Kill()
			stock.Status()

			agent := dialAgent(t, socket)
			if name := agent.run("uname", "-n"); name != "console-demo\n" {
				t.Errorf("uname -n: %q", name)
			}
			agent.say(`{"execute":"guest-get-osinfo"}`)
			agent.hear(`"machine":"x86_64"`)
			setSize(agent, "ttyS0", serial, 33, 99)
			setSize(agent, "hvc0", console, 44, 111)

			agent.say(`{"execute":"guest-shutdown","arguments":{"mode":"reboot"}}`)
			console.Expect(`shutdown: the guest ends now`, 1)
			console.Expect(`login: `, 2)
			agent.conn.Close()
			again := dialAgent(t, socket)
			again.say(`{"execute":"guest-shutdown"}`)
			if status := vm.Status(); status != 0 {
				t.Errorf("microvm-run has status %d", status)
			}
			vm.Expect(`ended: powered off`, 1)
		})
	}
}

// setSize logs in and sets the size of the console through the agent.
func setSize(a agent, device string, terminal *harness.Session, rows, columns int) {
	a.t.Helper()
	harness.Login(terminal)
	a.say(fmt.Sprintf(`{"execute":"microvm-set-console-size","arguments":{"device":%q,"rows":%d,"columns":%d}}`, device, rows, columns))
	a.hear(`\{\}`)
	terminal.Send("stty size\n")
	terminal.Expect(fmt.Sprintf(`(^|\n)%d %d\r?\n`, rows, columns), 1)
}

// TestGuestAgentOverVsock connects to the agent over vsock inside the guest, which needs only
// the local address.
func TestGuestAgentOverVsock(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm, _, console := startGuest(t, filepath.Join(harness.Build(t, "vsock-guest"), "bin", "microvm-run"))
	harness.Login(console)
	console.Send("microvm-agent --port none --vsock 5000 & until microvm-agent --ping vsock:1:5000; do sleep 1; done\n")
	console.Expect(`vsock:1:5000: guest agent \S+, \d+ commands`, 1)
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// TestGuestAgentOverTheHostsVsock connects to the agent over the vsock of the host.
func TestGuestAgentOverTheHostsVsock(t *testing.T) {
	t.Parallel()
	const device = "/dev/vhost-vsock"
	demo := harness.Build(t, "vsock-guest")
	harness.OwnFolders(t)
	config := harness.ChangedVM(t, demo, func(machine map[string]any) { machine["vsock"] = map[string]int{"cid": 4711} })
	run := filepath.Join(demo, "bin", "microvm-run")
	if _, err := os.Stat(device); err != nil {
		vm := harness.Start(t, run, "--config", config, "--auto-ports")
		vm.Expect(`microvm-run: vsock: .*`+device+`: .+ \(`, 1)
		if status := vm.Status(); status == 0 {
			t.Error("the VM starts without " + device)
		}
		harness.Skip(t, device, "load the module vhost_vsock")
	}
	_, _, console := startGuest(t, run, "--config", config)
	harness.Login(console)
	console.Send("microvm-agent --port none --vsock 5000 & until microvm-agent --ping vsock:4711:5000; do sleep 1; done\n")
	console.Expect(`vsock:4711:5000: guest agent`, 1)
	output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-agent"), "--ping", "vsock:4711:5000")
	if !strings.HasPrefix(output, "vsock:4711:5000: guest agent ") {
		t.Error(output)
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
}
