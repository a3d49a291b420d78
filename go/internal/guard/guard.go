// Package guard admits to a console's TCP port the processes of one user, and no web
// browser.
//
// A port on localhost is open to every user of the host and to every web page that
// one of them looks at. Behind the port is a shell of root in a guest, so:
//
//   - A client whose process belongs to neither the owner nor root is refused, unless
//     the port is shared. A client whose owner cannot be determined is refused too.
//   - A client whose first line is an HTTP request, with any method, a TLS handshake, or
//     a message of WebRTC, is closed, and nothing of it is read on. A browser runs as
//     the owner, so only what it sends distinguishes it from a person. Sharing a port
//     does not lift this rule.
package guard

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Port is a TCP port, with a listener on each of its addresses. The zero value admits
// the processes of this process's user and of root.
type Port struct {
	// Shared admits every user of the host.
	Shared bool
	// OnRefusal is called with the reason of each refusal. It must not block. nil
	// for none.
	OnRefusal func(reason string)

	refused atomic.Int64
}

// Refusals returns how many clients were refused.
func (p *Port) Refusals() int { return int(p.refused.Load()) }

// Guard returns listeners on top of TCP listeners, which admit as p says. Closing one
// closes the listener below.
func (p *Port) Guard(listeners []net.Listener) []net.Listener {
	guarded := make([]net.Listener, len(listeners))
	for i, listener := range listeners {
		guarded[i] = &guardedListener{listener, p}
	}
	return guarded
}

// guardedListener is a listener of a Port.
type guardedListener struct {
	net.Listener
	port *Port
}

// Accept returns the next client that is admitted. What it reads is judged as the
// package comment says. Refused clients get one line and are closed.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, ok := accepted.(*net.TCPConn)
		if !ok {
			accepted.Close()
			return nil, fmt.Errorf("guard: %T: not a TCP connection", accepted)
		}
		if l.port.Shared {
			return &client{TCPConn: conn, port: l.port}, nil
		}
		uid, err := peerUID(conn)
		if err == nil && (uid == os.Getuid() || uid == 0) {
			return &client{TCPConn: conn, port: l.port}, nil
		}
		l.port.refuse("a TCP client of another user")
		turnAway(conn)
	}
}

// refuse counts a refusal and reports it.
func (p *Port) refuse(reason string) {
	p.refused.Add(1)
	if p.OnRefusal != nil {
		p.OnRefusal(reason)
	}
}

// turnAway sends a refused client the reason and closes it. Bytes that have arrived
// are dropped first: the kernel answers unread ones with a reset, and the client may
// then never see the line.
func turnAway(conn *net.TCPConn) {
	defer conn.Close()
	fmt.Fprintf(conn, "this console belongs to %s; \"shared\": true opens it\r\n", owner())
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		var dropped [4096]byte
		for range 256 { // at most 1 MiB: a client that goes on sending is reset
			if n, err := unix.Read(int(fd), dropped[:]); n <= 0 || err != nil {
				break
			}
		}
		return true
	})
}

// owner returns the name of the user that this process runs as, or the number.
func owner() string {
	uid := strconv.Itoa(os.Getuid())
	if account, err := user.LookupId(uid); err == nil {
		return account.Username
	}
	return "user " + uid
}
