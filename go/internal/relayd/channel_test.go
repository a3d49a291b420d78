package relayd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

// hangLimit is when a test gives up waiting.
const hangLimit = time.Minute

// The test binary runs a relay if CHANNEL_TEST_RELAY is set.
func TestMain(m *testing.M) {
	if directory := os.Getenv("CHANNEL_TEST_RELAY"); directory != "" {
		c, err := Open(Config{Name: "serial", Settings: in(directory)})
		if err == nil {
			err = c.Run(context.Background())
		}
		panic(err)
	}
	os.Exit(m.Run())
}

// in returns settings with endpoints in directory and practically no limits of retention.
func in(directory string) settings.Settings {
	all := settings.Default()
	all.Directory, all.RetentionMiB, all.Boots = directory, 1<<20, 1000
	return all
}

// testFolders sets XDG_RUNTIME_DIR and XDG_STATE_HOME to temporary folders with paths
// short enough for sockets, and returns the folder for the endpoints.
func testFolders(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "channel")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

// run runs a channel until the end of the test or a call to stop.
func run(t *testing.T, config Config) (c *Channel, stop func()) {
	t.Helper()
	c, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = func() {
		cancel()
		select {
		case err := <-done:
			done <- nil // for the next call
			if err != nil {
				t.Error(err)
			}
		case <-time.After(hangLimit):
			t.Error("Run does not return")
		}
	}
	t.Cleanup(stop)
	return c, stop
}

func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangLimit); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// machine opens the VM side like QEMU.
func machine(t *testing.T) *os.File {
	t.Helper()
	path := relay.VMPath(rundir.OfChannel("serial").Path()) + ".out"
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// Removed endpoints are reported, and recreated at the latest by the next relay.
func TestRemovedEndpoints(t *testing.T) {
	directory := testFolders(t)
	service, stop := run(t, Config{Name: "serial", Settings: in(directory)})
	if missing := service.Status().Consoles[0].Missing; len(missing) > 0 {
		t.Errorf("missing at first: %q", missing)
	}
	out := rundir.PublicOf(directory, "serial").Out
	os.Remove(out)
	if missing := service.Status().Consoles[0].Missing; len(missing) != 1 || missing[0] != out {
		t.Errorf("missing: %q", missing)
	}
	stop()
	_, _ = run(t, Config{Name: "serial", Settings: in(directory)})
	if _, err := os.Lstat(out); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	service, _ := run(t, Config{Name: "serial", Settings: in(testFolders(t))})
	var health Health
	for range 3 {
		if !health.Check(service) {
			t.Error("an idle channel is unhealthy")
		}
	}
	health.unread = 1 // there was output, and none was taken
	if health.Check(service) {
		t.Error("a channel that is not drained is healthy")
	}
	if !health.Check(service) {
		t.Error("the channel stays unhealthy")
	}
}

// A relay serves the endpoints that it can create, reports the others, and creates them
// once their names are free. A launcher refuses to start instead, because a user is
// present who can fix it.
func TestForeignEndpoints(t *testing.T) {
	directory := testFolders(t)
	public := rundir.PublicOf(directory, "serial")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	settings := in(directory)
	port := taken.Addr().(*net.TCPAddr).Port
	serial := settings.Channels["serial"]
	serial.TCP = port
	settings.Channels["serial"] = serial
	config := Config{Name: "serial", Settings: settings}
	foreign := map[string]string{
		public.In: "is a file, not a FIFO", public.Out: "is a file, not a FIFO", public.Log: "is a file, not a symbolic link",
		public.Socket: "is a file, not a socket", public.PTY: "is a file, not a symbolic link",
	}
	for path := range foreign {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Attach(t.Context(), config); err == nil || !strings.Contains(err.Error(), public.Out+": is a file, not a FIFO (remove it, ") {
		t.Errorf("a launcher got %v", err)
	}
	service, stop := run(t, config)
	console := service.Status().Consoles[0]
	if len(console.Missing) != 6 || !strings.Contains(console.Trouble["localhost:"+strconv.Itoa(port)], "address already in use") {
		t.Errorf("missing: %q, %q", console.Missing, console.Trouble)
	}
	for path, want := range foreign {
		if got := console.Trouble[path]; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if text, err := os.ReadFile(path); len(text) > 0 || err != nil { // the file is unchanged
			t.Error(path, text, err)
		}
		os.Remove(path)
	}
	taken.Close()
	await(t, "the endpoints", func() bool { return missingEndpoints(service) == 0 })
	if err := errors.Join(os.Remove(public.PTY), os.WriteFile(public.PTY, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := os.Lstat(public.PTY); err != nil {
		t.Errorf("Close removed a file in place of the link: %v", err)
	}
	for _, path := range []string{public.Socket, rundir.OfChannel("serial").Ctl()} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("not removed: %s (%v)", path, err)
		}
	}
}

// If another user creates endpoints while ours are missing, they are reported with that
// user's ID, nothing is printed to them, and ours are recreated once they are removed.
func TestEndpointsOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the owner of a file (run the tests as root)")
	}
	directory := testFolders(t)
	public := rundir.PublicOf(directory, "serial")
	service, _ := run(t, Config{Name: "serial", Settings: in(directory)})
	for _, path := range []string{public.In, public.Out} {
		if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o666), os.Chown(path, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the status", func() bool {
		trouble := service.Status().Consoles[0].Trouble
		return trouble[public.In] == "belongs to user 65534" && trouble[public.Out] == trouble[public.In]
	})
	os.Remove(public.In)
	os.Remove(public.Out)
	await(t, "our endpoints", func() bool { return missingEndpoints(service) == 0 })
	if exists, err := rundir.Usable(public.In, os.ModeNamedPipe); !exists || err != nil {
		t.Errorf("%s: %t, %v", public.In, exists, err)
	}
}
