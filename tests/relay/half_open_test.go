package relay

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestPeerVanishes disconnects a TCP peer without a packet, so that packets to it are not
// acknowledged. The other clients and the relay are not affected. The status shows the lag of
// the peer until the kernel closes the connection, in this test sooner than by default.
func TestPeerVanishes(t *testing.T) {
	t.Parallel()
	if !harness.InOwnNetwork(t) {
		return
	}
	retries(t, 5)
	harness.OwnFolders(t)
	ports, settings := freePorts(t, "serial")
	writeSettings(t, `"retentionMiB": 1024, `+settings)
	relay := startRelay(t, "serial")
	relay.ports = ports
	lock := lockSerial(t, relay)
	defer lock.Close()
	const before, after = 1 << 20, 64 << 20
	address := relay.address("serial")
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	peer, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 0, before, 0, true})
	last := string(appendLine(nil, "serial", 1, after/lineBytes-1))
	others := []*harness.Client{harness.NewClient("TCP", 0, last), harness.NewClient("Unix socket", 0, last)}
	others[0].Dial(t, "tcp", address)
	others[1].Dial(t, "unix", publicPath(t, "serial", "sock"))
	readSome(t, peer, before)
	memory := memoryOf(t, relay.run.Process.Pid)

	harness.Must(t, harness.Root, "ip", "route", "add", "blackhole", "127.0.0.2/32", "table", "local")
	vanished := time.Now()
	printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 1, after, 0, true})
	for _, other := range others {
		other.Await(t, harness.Console{Device: "serial"}, harness.WaitLimit)
		if err := openJournal(t, "serial").compare(0, other.Got()); err != nil || len(other.Got()) != before+after {
			t.Errorf("%s: %d bytes: %v", other.Kind, len(other.Got()), err)
		}
	}
	lag, there := lagOf(t, peer.LocalAddr().String())
	if !there || lag < after/2 {
		t.Errorf("the peer has a lag of %d bytes, listed: %t", lag, there)
	}
	grown := memoryOf(t, relay.run.Process.Pid) - memory
	if grown > 8<<10 {
		t.Errorf("the relay has grown by %d KiB", grown)
	}
	for late := time.Now().Add(harness.WaitLimit); there; time.Sleep(10 * time.Millisecond) {
		if _, there = lagOf(t, peer.LocalAddr().String()); there && time.Now().After(late) {
			t.Fatal("the peer is still listed")
		}
	}
	t.Logf("lag %d MB; closed after %.1f s; the relay has grown by %d KiB", lag/1e6, time.Since(vanished).Seconds(), grown)
	relay.stop()
}

// retries sets the number of retransmissions after which the kernel closes a connection, each
// after twice the time of the one before. The default is 15; see tcp_retries2 in tcp(7).
func retries(t *testing.T, attempts int) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_retries2", fmt.Appendln(nil, attempts), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lagOf returns the lag of a client of the serial channel, in bytes, if it is listed.
func lagOf(t *testing.T, name string) (lag int64, listed bool) {
	t.Helper()
	for _, client := range channelStatus(t, "serial").Clients {
		if client.Client == name {
			return client.Lag, true
		}
	}
	return 0, false
}

// memoryOf returns the private memory of a process, in KiB, without that of the program file.
func memoryOf(t *testing.T, pid int) int {
	t.Helper()
	text := harness.ReadFile(t, fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(text, "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
