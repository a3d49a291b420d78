package vm

import (
	"net"
	"os"

	"microvm-console/internal/process"
	"microvm-console/internal/rundir"
)

// sockets are the connections to a QEMU that is about to start, with what it
// inherits: its ends of them, and the machine's lock.
type sockets struct {
	monitor, agent net.Conn
	theirs         []*os.File
}

func openSockets(lock *rundir.Lock) (s sockets, err error) {
	for _, ours := range []*net.Conn{&s.monitor, &s.agent} {
		conn, theirs, err := process.SocketPair()
		if err != nil {
			s.close()
			return s, err
		}
		*ours, s.theirs = conn, append(s.theirs, theirs)
	}
	inherited, err := lock.Inherit()
	if err != nil {
		s.close()
		return s, err
	}
	s.theirs = append(s.theirs, inherited)
	return s, nil
}

// files are what QEMU inherits, in the order of the numbers: monitorFD, agentFD, lockFD.
func (s sockets) files() []*os.File { return s.theirs }

// close closes what is open; what the start of a process has closed, no more.
func (s sockets) close() {
	for _, conn := range []net.Conn{s.monitor, s.agent} {
		if conn != nil {
			conn.Close()
		}
	}
	for _, file := range s.theirs {
		file.Close()
	}
}
