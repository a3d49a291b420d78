package harness

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// OwnFolders makes a run folder for the commands of the test, with a path that is short
// enough for sockets, and a state folder in it. It returns the run folder.
func OwnFolders(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "microvm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	Setenv(t, "XDG_RUNTIME_DIR", dir)
	Setenv(t, "XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

// FreePort returns a port on localhost that was free a moment ago.
func FreePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// WriteFile writes a file that only its owner can read.
func WriteFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ReadFile returns the contents of a file.
func ReadFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
