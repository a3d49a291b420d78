package qemutest

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Files in a shared directory that change the behavior of a fake virtiofsd.
const (
	// VirtiofsdFails makes it print the content of the file and exit with status 1 at its start.
	VirtiofsdFails = "fake.fails"
	// VirtiofsdWarns makes it print the content of the file.
	VirtiofsdWarns = "fake.warns"
	// VirtiofsdPID is the file to which it writes its process id.
	VirtiofsdPID = "fake.pid"
)

// CalledAsVirtiofsd reports whether this process was started as virtiofsd. A test binary then calls
// Virtiofsd.
func CalledAsVirtiofsd() bool { return filepath.Base(os.Args[0]) == "virtiofsd" }

// Virtiofsd runs as a virtiofsd with the arguments of this process. It accepts one client, and ends
// when the client disconnects. It does not return.
func Virtiofsd() {
	flags := map[string]string{}
	for _, arg := range os.Args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		flags[name] = value
	}
	if _, ok := flags["--help"]; ok {
		fmt.Println("--shared-dir <SHARED_DIR>\n--readonly")
		unix.Exit(0)
	}
	dir := flags["--shared-dir"]
	if warning, err := os.ReadFile(filepath.Join(dir, VirtiofsdWarns)); err == nil {
		_, _ = os.Stderr.Write(warning)
	}
	if failure, err := os.ReadFile(filepath.Join(dir, VirtiofsdFails)); err == nil {
		_, _ = os.Stderr.Write(failure)
		unix.Exit(1)
	}
	if err := serveShare(dir, flags["--fd"]); err != nil {
		fmt.Fprintln(os.Stderr, "fake virtiofsd:", err)
		unix.Exit(2)
	}
	unix.Exit(0)
}

// serveShare writes the process id to dir, and serves a client of the socket with a descriptor.
func serveShare(dir, fd string) error {
	number, err := strconv.Atoi(fd)
	if err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(uintptr(number), "socket"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, VirtiofsdPID), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("\n")); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}
