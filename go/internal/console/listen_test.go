package console

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// noting is a listener that notes whom it accepts.
type noting struct {
	net.Listener
	accepted chan net.Conn
}

func (n noting) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err == nil {
		n.accepted <- conn
	}
	return conn, err
}

// A TCP peer that vanishes while nothing is sent to it goes within a minute.
func TestSilentPeersAreAsked(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	b := startWith(t, setup{listen: func(l net.Listener) net.Listener { return noting{l, accepted} }})
	b.dial("tcp")
	b.clients(1)
	raw, err := (<-accepted).(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for option, want := range map[int]int{unix.TCP_KEEPIDLE: 15, unix.TCP_KEEPINTVL: 15, unix.TCP_KEEPCNT: 3} {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil || got != want {
				t.Errorf("option %d is %d, %v, want %d", option, got, err, want)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
