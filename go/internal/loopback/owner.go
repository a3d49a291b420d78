package loopback

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// owner describes the process that has a port of a protocol, "tcp" or "udp", as in `by pid 812,
// "microvm-run"; `. It returns "" if /proc does not show the process to this user.
func owner(protocol string, port int) string {
	pid, name := ownerOf(protocol, port)
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf("by pid %d, %q; ", pid, name)
}

// Owner returns the process that listens on a TCP port, and its name. It returns 0 if
// there is none, or if /proc does not show it to this user.
func Owner(port int) (pid int, name string) { return ownerOf("tcp", port) }

// ownerOf is Owner for a port of "tcp" or "udp".
func ownerOf(protocol string, port int) (pid int, name string) {
	for _, table := range []string{"/proc/net/" + protocol, "/proc/net/" + protocol + "6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		inode := listenerInode(file, waiting[protocol], port)
		file.Close()
		if inode != "" {
			return holder("socket:[" + inode + "]")
		}
	}
	return 0, ""
}

// waiting are the states of sockets without a peer in the tables of /proc/net: TCP_LISTEN, and
// TCP_CLOSE for UDP.
var waiting = map[string]string{"tcp": "0A", "udp": "07"}

// listenerInode returns the inode of the socket in the given state on port, from a table in the
// format of /proc/net/tcp (proc(5)), or "" if there is none.
func listenerInode(table io.Reader, state string, port int) string {
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[3] == state && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
			return fields[9]
		}
	}
	return ""
}

// holder returns the process that has a socket open, and its name.
func holder(socket string) (pid int, name string) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is valid
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != socket {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			return 0, ""
		}
		pid, _ = strconv.Atoi(filepath.Base(dir)) // only digits match the pattern
		return pid, string(bytes.TrimSpace(comm))
	}
	return 0, ""
}
