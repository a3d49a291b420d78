package systemd_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/systemd"
)

// If SYSTEMD_TEST is set, the test binary is a service that prints what was stored for it.
func TestMain(m *testing.M) {
	if os.Getenv("SYSTEMD_TEST") != "" {
		service()
		return
	}
	os.Exit(m.Run())
}

func service() {
	for name, file := range systemd.Stored() {
		text, err := io.ReadAll(file)
		flags, _ := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0)
		fmt.Println(name, string(text), err, flags&unix.FD_CLOEXEC != 0)
	}
	fmt.Println(len(systemd.Stored()), os.Getenv("LISTEN_PID")+os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_FDNAMES"))
}

// manager returns the socket of a service manager, in the file system or abstract.
func manager(t *testing.T, abstract bool) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	if abstract {
		path = "@" + path
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

// receive returns the next message and its files.
func receive(t *testing.T, conn *net.UnixConn) (string, []*os.File) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	text, control := make([]byte, 4096), make([]byte, 4096)
	n, controls, _, _, err := conn.ReadMsgUnix(text, control)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return string(text[:n]), files
}

func TestMessages(t *testing.T) {
	for _, abstract := range []bool{false, true} {
		t.Run(fmt.Sprintf("abstract %t", abstract), func(t *testing.T) {
			conn := manager(t, abstract)
			if err := systemd.Notify("READY=1\nSTATUS=all is well"); err != nil {
				t.Fatal(err)
			}
			if err := systemd.Forget("vm.out"); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"READY=1\nSTATUS=all is well", "FDSTOREREMOVE=1\nFDNAME=vm.out"} {
				if got, files := receive(t, conn); got != want || files != nil {
					t.Errorf("got %q and %d files, want %q", got, len(files), want)
				}
			}
		})
	}
}

// The service manager gets the same pipe, and the end of the sender does not change.
func TestStore(t *testing.T) {
	conn := manager(t, false)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := systemd.Store("vm.out", writer); err != nil {
		t.Fatal(err)
	}
	if err := writer.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Error("the end of the sender is blocking now:", err)
	}
	writer.Close()
	got, files := receive(t, conn)
	if diff := cmp.Diff("FDSTORE=1\nFDPOLL=0\nFDNAME=vm.out", got); diff != "" || len(files) != 1 {
		t.Fatalf("%d files %s", len(files), diff)
	}
	fmt.Fprint(files[0], "through the manager")
	files[0].Close()
	if text, err := io.ReadAll(reader); string(text) != "through the manager" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	t.Setenv("LISTEN_PID", "")
	if err := systemd.Notify("READY=1"); err != nil {
		t.Error(err)
	}
	if err := systemd.Store("name", os.Stdout); err != nil {
		t.Error(err)
	}
	if err := systemd.Forget("name"); err != nil {
		t.Error(err)
	}
	if stored := systemd.Stored(); len(stored) != 0 {
		t.Error(stored)
	}
}

func TestManagerIsGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	for name, err := range map[string]error{
		"Notify": systemd.Notify("READY=1"), "Store": systemd.Store("name", os.Stdout), "Forget": systemd.Forget("name"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "service manager: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesThatSystemdIgnores(t *testing.T) {
	for _, name := range []string{"", "a:b", "a\nb", "é", strings.Repeat("a", 256)} {
		if systemd.Store(name, os.Stdout) == nil || systemd.Forget(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestWatchdog(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	tests := []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"none", "", "", 0},
		{"ours", "30000000", pid, 30 * time.Second},
		{"for any process", "1", "", time.Microsecond},
		{"for another process", "30000000", "1", 0},
		{"not a number", "soon", pid, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", test.usec)
			t.Setenv("WATCHDOG_PID", test.pid)
			if got := systemd.Watchdog(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestStored starts a service with descriptors, as systemd does.
func TestStored(t *testing.T) {
	tests := []struct{ name, pid, fds, names, want string }{
		{"two of one name", "$$", "3", "a:b:a", "a first <nil> true\nb second <nil> true\n0 \n"},
		{"without names", "$$", "1", "", "LISTEN_FD_3 first <nil> true\n0 \n"},
		{"for another process", "1", "3", "a:b:c", "0 \n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "sh", "-c", "LISTEN_PID="+test.pid+` exec "$0"`, os.Args[0])
			command.Env = append(os.Environ(), "SYSTEMD_TEST=1", "LISTEN_FDS="+test.fds, "LISTEN_FDNAMES="+test.names, "GORACE=atexit_sleep_ms=0")
			for _, text := range []string{"first", "second", "third"} {
				path := filepath.Join(t.TempDir(), "file")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				file, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				command.ExtraFiles = append(command.ExtraFiles, file)
			}
			out, err := command.CombinedOutput()
			lines := strings.SplitAfter(string(out), "\n")
			if len(lines) == 4 && lines[0] > lines[1] {
				lines[0], lines[1] = lines[1], lines[0] // a map has no order
			}
			if diff := cmp.Diff(test.want, strings.Join(lines, "")); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}
