// Package guard admits to a console's TCP port the processes of one user, and no web
// browser.
//
// A port on localhost is open to every user of the host and to every web page that
// one of them looks at. Behind the port is a shell of root in a guest, so:
//
//   - A client whose process belongs to neither the owner nor root is refused, unless
//     the port is shared. A client whose owner cannot be determined is refused too.
//   - A client whose first line is an HTTP request or a TLS handshake is closed, and
//     nothing of it is read on. A browser runs as the owner, so only what it
//     sends distinguishes it from a person. Sharing a port does not lift this rule.
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

// Policy says who may use a port.
type Policy struct {
	// Shared admits every user of the host.
	Shared bool
	// Refused is called with each refusal, in words. It must not block. It may be
	// nil.
	Refused func(reason string)
}

// Listener is a TCP listener whose Accept returns only clients that the policy
// admits.
type Listener struct {
	net.Listener
	policy  Policy
	refused atomic.Int64
}

// New returns a Listener on top of a TCP listener. Closing it closes that.
func New(listener net.Listener, policy Policy) *Listener {
	return &Listener{Listener: listener, policy: policy}
}

// Refusals returns how many clients were refused or closed since New.
func (l *Listener) Refusals() int { return int(l.refused.Load()) }

// Accept returns the next client that is admitted. What it reads is judged as the
// package comment says. Refused clients get one line and are closed.
func (l *Listener) Accept() (net.Conn, error) {
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
		if l.policy.Shared {
			return &client{TCPConn: conn, listener: l}, nil
		}
		uid, err := peerUID(conn)
		if err == nil && (uid == os.Getuid() || uid == 0) {
			return &client{TCPConn: conn, listener: l}, nil
		}
		l.refuse("a TCP client of another user")
		turnAway(conn)
	}
}

// refuse counts a refusal and reports it.
func (l *Listener) refuse(reason string) {
	l.refused.Add(1)
	if l.policy.Refused != nil {
		l.policy.Refused(reason)
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
