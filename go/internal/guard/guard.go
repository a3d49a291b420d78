// Package guard restricts a console's TCP port to the processes of one user, and excludes
// web browsers.
//
// A port on localhost is open to every user of the host, and to every web page that a
// user opens. The console may offer a root shell in a guest. Therefore:
//
//   - A client whose process belongs neither to the owner nor to root is refused, unless
//     the port is shared. A client whose owner cannot be determined is refused too.
//   - A client whose first line is an HTTP request with any method, a TLS handshake or a
//     WebRTC message is disconnected, and its input is discarded. A browser runs as the
//     owner, so only its input distinguishes it from a person. This rule applies to shared
//     ports too.
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

// Port is a TCP port with a listener on each of its addresses. The zero value admits the
// processes of this process's user and of root.
type Port struct {
	// Shared admits all users of the host.
	Shared bool
	// OnRefusal, if not nil, is called with the reason of each refusal. It must not
	// block.
	OnRefusal func(reason string)

	refused atomic.Int64
}

// Refusals returns the number of clients that were refused.
func (p *Port) Refusals() int { return int(p.refused.Load()) }

// Guard wraps TCP listeners in listeners that admit clients according to p. Closing one
// closes the wrapped listener.
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

// Accept returns the next admitted client. The client's Read checks its input; see the
// package comment. A client of another user is sent one line and disconnected.
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

// turnAway sends a refused client the reason and disconnects it. It first discards bytes
// that have arrived: the kernel would answer unread bytes with a reset, and the client
// might never see the line.
func turnAway(conn *net.TCPConn) {
	defer conn.Close()
	fmt.Fprintf(conn, "this console belongs to %s (\"shared\": true admits other users)\r\n", owner())
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		var dropped [4096]byte
		for range 256 { // up to 1 MiB; a client that keeps sending is reset
			if n, err := unix.Read(int(fd), dropped[:]); n <= 0 || err != nil {
				break
			}
		}
		return true
	})
}

// owner returns the name of the user that this process runs as, or the user ID.
func owner() string {
	uid := strconv.Itoa(os.Getuid())
	if account, err := user.LookupId(uid); err == nil {
		return account.Username
	}
	return "user " + uid
}
