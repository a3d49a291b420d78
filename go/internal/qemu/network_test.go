package qemu_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/qemu"
	"microvm-console/internal/vmconfig"
)

// usernet is the answer of QEMU's monitor for a VM with a network of the user's, and a connection.
const usernet = "Hub -1 (mine):\r\n" +
	"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
	"  TCP[HOST_FORWARD]   9       127.0.0.1 40001       10.0.2.15    80     0     0\r\n" +
	"Hub -1 (network0):\r\n" +
	"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
	"  TCP[ESTABLISHED]   12       127.0.0.1 40002       10.0.2.15    80     0     0\r\n" +
	"  TCP[HOST_FORWARD]  11       127.0.0.1 41633       10.0.2.15    80     0     0\r\n" +
	"  TCP[HOST_FORWARD]   3       127.0.0.1  8080       10.0.2.15    80     0     0\r\n" +
	"  TCP[HOST_FORWARD]   4       127.0.0.1 41634       10.0.2.15    80     0     0\r\n" +
	"  UDP[HOST_FORWARD]  10       127.0.0.1 47866       10.0.2.15    80     0     0\r\n" +
	"  ICMP[10 sec]        5       127.0.0.1  4711        10.0.2.2  -        0     0\r\n"

func TestForwards(t *testing.T) {
	declared := []vmconfig.Forward{{Guest: 80}, {Host: 8080, Guest: 80}, {Guest: 80, Protocol: "udp"}, {Guest: 80, Protocol: "tcp"}}
	got, err := qemu.Forwards(declared, usernet)
	if err != nil {
		t.Fatal(err)
	}
	want := []vmconfig.Forward{
		{Host: 41633, Guest: 80}, {Host: 8080, Guest: 80}, {Host: 47866, Guest: 80, Protocol: "udp"}, {Host: 41634, Guest: 80, Protocol: "tcp"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := qemu.Forwards([]vmconfig.Forward{{Guest: 81}}, usernet); err == nil || !strings.Contains(err.Error(), "port 81/tcp") {
		t.Errorf("a port that QEMU does not forward: %v, %v", got, err)
	}
}

// A forwarded port is found in any output that has its line, and every port that is found is in
// the output.
func FuzzForwards(f *testing.F) {
	f.Add(usernet, uint16(40123), uint16(22))
	f.Add("  TCP[HOST_FORWARD] 1 2 3 4 5\nHub (network0)\n TCP[HOST_FORWARD] 1 a -1 b 99999\n", uint16(1), uint16(1))
	f.Fuzz(func(t *testing.T, others string, host, guest uint16) {
		declared := []vmconfig.Forward{{Guest: int(guest)}}
		if got, err := qemu.Forwards(declared, others); err == nil {
			if port := fmt.Sprint(got[0].Host); !strings.Contains(others, port) {
				t.Errorf("found port %s in %q", port, others)
			}
			return
		}
		line := fmt.Sprintf("\nHub -1 (network0):\n  TCP[HOST_FORWARD]  11       127.0.0.1 %d       10.0.2.15 %d     0     0\n", host, guest)
		got, err := qemu.Forwards(declared, others+line)
		if host == 0 {
			return // not a port
		}
		if err != nil || got[0].Host != int(host) {
			t.Errorf("found %+v, %v, want port %d, in %q", got, err, host, others+line)
		}
	})
}

func TestGDBIsGolden(t *testing.T) {
	golden(t, "gdb", qemu.GDB("/run/a,b/gdb", 7, false))
	golden(t, "gdb-by-hand", qemu.GDB("/run/a,b/gdb", 0, true))
}

func TestStartsPaused(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "-S": true, "-device virtio-rng-pci --S": true, "-name -S": false, "-s": false,
	} {
		if got := qemu.StartsPaused(strings.Fields(text)); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}
