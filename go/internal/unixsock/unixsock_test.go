package unixsock_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/rundir"
	"microvm-console/internal/unixsock"
)

func TestListenInAMissingFolder(t *testing.T) {
	if _, err := unixsock.Listen(filepath.Join(t.TempDir(), "none", "ctl")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// folder returns a temporary folder with a path short enough for sockets.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "unixsock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// The socket is private with any umask, replaces an old one, and is removed when its
// listener is closed, but not if another file has taken its path.
func TestListen(t *testing.T) {
	path := filepath.Join(folder(t), "ctl")
	defer unix.Umask(unix.Umask(0))
	first, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	first.Close()
	if first.InPlace() || !second.InPlace() {
		t.Error("the second socket is not in place")
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a client of a closed listener: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket was not removed: %v", err)
	}
}

// A file that is not a socket is not replaced, and a path that is too long is refused.
func TestListenRefuses(t *testing.T) {
	path := filepath.Join(folder(t), "ctl")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unixsock.Listen(path); !errors.As(err, new(*rundir.ForeignError)) {
		t.Errorf("a file: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if _, err := unixsock.Listen("/tmp/" + strings.Repeat("a", 103)); err == nil {
		t.Error("a path of 108 bytes was accepted")
	}
}

// As soon as the path exists, a client can connect.
func TestListenBeforeThePathExists(t *testing.T) {
	dir := folder(t)
	for round := range 300 {
		path := filepath.Join(dir, strconv.Itoa(round))
		dialed := make(chan error)
		go func() {
			for {
				conn, err := net.Dial("unix", path)
				if errors.Is(err, os.ErrNotExist) {
					continue
				}
				if err == nil {
					conn.Close()
				}
				dialed <- err
				return
			}
		}()
		listener, err := unixsock.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-dialed; err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

// A socket for a group has its permissions whatever the umask is.
func TestModeForAGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	listener, err := unixsock.ListenMode(path, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
