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

// folder returns a folder whose path is short enough for a socket.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "unixsock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// The socket is private whatever the umask, takes the place of one that was left, and is
// removed with its listener, but not if another one has its place.
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
		t.Errorf("a client of a listener that was closed: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

// A file that is no socket stays, and a path that is too long is refused.
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
		t.Error("a path of 108 bytes is taken")
	}
}

// A client that finds the name can connect.
func TestListenBeforeTheName(t *testing.T) {
	dir := folder(t)
	for round := range 300 {
		path := filepath.Join(dir, strconv.Itoa(round))
		dialled := make(chan error)
		go func() {
			for {
				conn, err := net.Dial("unix", path)
				if errors.Is(err, os.ErrNotExist) {
					continue
				}
				if err == nil {
					conn.Close()
				}
				dialled <- err
				return
			}
		}()
		listener, err := unixsock.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-dialled; err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
