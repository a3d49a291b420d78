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

// owner describes the process that listens on a TCP port, as in `by pid 812,
// "microvm-run"; `. It returns "" if /proc does not show the process to this user.
func owner(port int) string {
	pid, name := Owner(port)
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf("by pid %d, %q; ", pid, name)
}

// Owner returns the process that listens on a TCP port, and its name. It returns 0 if
// there is none, or if /proc does not show it to this user.
func Owner(port int) (pid int, name string) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		inode := listenerInode(file, port)
		file.Close()
		if inode != "" {
			return holder("socket:[" + inode + "]")
		}
	}
	return 0, ""
}

// listenerInode returns the inode of the socket that listens on port, from a table in the
// format of /proc/net/tcp (proc(5)), or "" if there is none.
func listenerInode(table io.Reader, port int) string {
	const listen = "0A" // TCP_LISTEN
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[3] == listen && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
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
