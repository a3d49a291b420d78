package vm

import (
	"net"
	"os"

	"microvm-console/internal/process"
)

// sockets are the connections to a QEMU that is about to start, with its ends
// of them.
type sockets struct {
	monitor, agent           net.Conn
	theirMonitor, theirAgent *os.File
}

func openSockets() (s sockets, err error) {
	if s.monitor, s.theirMonitor, err = process.SocketPair(); err != nil {
		return s, err
	}
	if s.agent, s.theirAgent, err = process.SocketPair(); err != nil {
		s.monitor.Close()
		s.theirMonitor.Close()
	}
	return s, err
}

// files are QEMU's ends, in the order of their numbers.
func (s sockets) files() []*os.File { return []*os.File{s.theirMonitor, s.theirAgent} }

// close closes both ends; what the start of a process has closed, no more.
func (s sockets) close() {
	s.monitor.Close()
	s.agent.Close()
	for _, file := range s.files() {
		file.Close()
	}
}
