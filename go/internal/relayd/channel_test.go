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

// hangLimit is when a test gives up on what should have come.
const hangLimit = time.Minute

// The test binary is a relay to be killed when it is started as one.
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

// in are settings whose endpoints are in directory; all is kept.
func in(directory string) settings.Settings {
	all := settings.Default()
	all.Directory, all.RetentionMiB, all.Boots = directory, 1<<20, 1000
	return all
}

// place gives the test folders of its own, short enough for sockets, and returns
// that of the endpoints.
func place(t *testing.T) string {
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

// run runs a channel until the test, or the returned function, ends it.
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
			t.Error("Run does not end")
		}
	}
	t.Cleanup(stop)
	return c, stop
}

func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangLimit); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// machine opens the VM side as QEMU does.
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

// Endpoints that were removed are reported, and made again, at the latest by the next relay.
func TestRemovedEndpoints(t *testing.T) {
	directory := place(t)
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
	service, _ := run(t, Config{Name: "serial", Settings: in(place(t))})
	var health Health
	for range 3 {
		if !health.Check(service) {
			t.Error("an idle channel is not well")
		}
	}
	health.unread = 1 // there was something, and nothing was taken
	if health.Check(service) {
		t.Error("a channel that is not drained is well")
	}
	if !health.Check(service) {
		t.Error("it does not get well")
	}
}

// A relay serves the endpoints that it can make, reports the others, and makes them once
// their names are free. A launcher, whose user is there, refuses to start.
func TestForeignEndpoints(t *testing.T) {
	directory := place(t)
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
		t.Errorf("a launcher gets %v", err)
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
		if text, err := os.ReadFile(path); len(text) > 0 || err != nil { // nothing of it is touched
			t.Error(path, text, err)
		}
		os.Remove(path)
	}
	taken.Close()
	await(t, "the endpoints", func() bool { return lacks(service) == 0 })
	if err := errors.Join(os.Remove(public.PTY), os.WriteFile(public.PTY, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := os.Lstat(public.PTY); err != nil {
		t.Errorf("a file in the place of the terminal's link is gone: %v", err)
	}
	for _, path := range []string{public.Socket, rundir.OfChannel("serial").Ctl()} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left behind: %s (%v)", path, err)
		}
	}
}

// Another user makes endpoints in the moment in which ours are gone. They are reported
// with that user's number, nothing is printed to them, and ours come back once they are gone.
func TestEndpointsOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away (run the tests as root too)")
	}
	directory := place(t)
	public := rundir.PublicOf(directory, "serial")
	service, _ := run(t, Config{Name: "serial", Settings: in(directory)})
	for _, path := range []string{public.In, public.Out} {
		if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o666), os.Chown(path, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the status", func() bool {
		trouble := service.Status().Consoles[0].Trouble
		return trouble[public.In] == "belongs to user 65534, not to us" && trouble[public.Out] == trouble[public.In]
	})
	os.Remove(public.In)
	os.Remove(public.Out)
	await(t, "our endpoints", func() bool { return lacks(service) == 0 })
	if exists, err := rundir.Usable(public.In, os.ModeNamedPipe); !exists || err != nil {
		t.Errorf("%s: %t, %v", public.In, exists, err)
	}
}
