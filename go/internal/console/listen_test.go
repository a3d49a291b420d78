package console

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// recording is a listener that records the accepted connections.
type recording struct {
	net.Listener
	accepted chan net.Conn
}

func (r recording) Accept() (net.Conn, error) {
	conn, err := r.Listener.Accept()
	if err == nil {
		r.accepted <- conn
	}
	return conn, err
}

// The kernel probes a silent TCP peer, so that one that vanished is disconnected within a
// minute.
func TestSilentPeersAreProbed(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	b := startWith(t, setup{listen: func(l net.Listener) net.Listener { return recording{l, accepted} }})
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
