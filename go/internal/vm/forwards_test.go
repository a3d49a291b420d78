package vm

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/state"
	"microvm-console/internal/vmconfig"
)

// forwarding returns a machine with forwarded ports.
func forwarding(t *testing.T, all ...vmconfig.Forward) vmconfig.Machine {
	t.Helper()
	m := machine(t)
	m.Network = &vmconfig.Network{Type: "user", Forward: all}
	return m
}

// takenUDP returns a UDP port that is in use until the end of the test.
func takenUDP(t *testing.T) int {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket.LocalAddr().(*net.UDPAddr).Port
}

// The status has the ports that vm.json has, and those that QEMU has taken: for port 0, and with
// AutoPorts for a port in use.
func TestForwards(t *testing.T) {
	wanted, taken := port(t), takenUDP(t)
	v, ended := run(t, forwarding(t,
		vmconfig.Forward{Guest: 22}, vmconfig.Forward{Host: wanted, Guest: 80}, vmconfig.Forward{Host: taken, Guest: 53, Protocol: "udp"}))
	started(t, v)
	got := v.Status().Forwards
	for _, forward := range got {
		if forward.Host == 0 || forward.Host == taken {
			t.Errorf("port %d is not free", forward.Host)
		}
	}
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	want := []state.Forward{{Host: got[0].Host, Guest: 22, Protocol: "tcp"}, {Host: wanted, Guest: 80, Protocol: "tcp"}, {Host: got[2].Host, Guest: 53, Protocol: "udp"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(got[0].Host)))
	if err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	stop(t, v, ended)
}

// Without AutoPorts, each port in use is an error with its owner.
func TestForwardsInUse(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp := takenUDP(t)
	m := forwarding(t, vmconfig.Forward{Host: tcp.Addr().(*net.TCPAddr).Port, Guest: 80}, vmconfig.Forward{Host: udp, Guest: 53, Protocol: "udp"})
	err = New(m, Options{}).Run(t.Context())
	if err == nil {
		t.Fatal("the VM has started")
	}
	for _, want := range []string{
		"forward to port 80/tcp: listen " + tcp.Addr().String() + ": address already in use (by pid ",
		"forward to port 53/udp: listen 127.0.0.1:" + strconv.Itoa(udp) + ": address already in use (by pid ", "choose another port, or --auto-ports)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
