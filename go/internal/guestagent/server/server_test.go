package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/guestagent/server"
)

// hangLimit bounds the waits of the tests.
const hangLimit = 60 * time.Second

// connected returns a client of a server, and a channel of the modes of shutdowns.
func connected(t *testing.T) (context.Context, *guestagent.Client, <-chan guestagent.ShutdownMode) {
	t.Helper()
	ended := make(chan guestagent.ShutdownMode, 1)
	s := server.New("1.2.3", func(mode guestagent.ShutdownMode) error {
		if mode == guestagent.Halt {
			return errors.New("this guest does not halt")
		}
		ended <- mode
		return nil
	})
	ctx, client := serve(t, s)
	return ctx, client, ended
}

// serve serves a client until the end of the test, with a context that bounds its requests.
func serve(t *testing.T, s *server.Server) (context.Context, *guestagent.Client) {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), theirs) }()
	client := guestagent.New(ours)
	read := make(chan error, 1)
	go func() { read <- client.Run() }()
	t.Cleanup(func() {
		client.Close()
		if err := errors.Join(<-read, <-served); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
	t.Cleanup(cancel)
	return ctx, client
}

func TestInfo(t *testing.T) {
	ctx, client, _ := connected(t)
	if err := client.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	info, err := client.Info(ctx)
	if err != nil || info.Version != "1.2.3" || len(info.Commands) != 12 {
		t.Errorf("%v, %+v", err, info)
	}
	for _, name := range []string{guestagent.CommandExec, guestagent.CommandExecOutput, guestagent.CommandSetConsoleSize} {
		if !info.Supports(name) {
			t.Errorf("no command %s", name)
		}
	}
	if info.Supports("guest-file-open") {
		t.Error("guest-file-open is listed")
	}
}

func TestOSInfo(t *testing.T) {
	host := newRaw(t)
	host.send(`{"execute": "guest-get-osinfo"}` + "\n")
	var answer struct {
		Return struct {
			ID, Machine   string
			KernelRelease string `json:"kernel-release"`
		}
	}
	host.receive(&answer)
	info := answer.Return
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	if info.KernelRelease != strings.TrimSpace(string(release)) || info.Machine == "" {
		t.Errorf("%+v", info)
	}
	names, err := os.ReadFile("/etc/os-release")
	if err == nil && (info.ID == "" || !strings.Contains(string(names), info.ID)) {
		t.Errorf("id %q is not in %s", info.ID, names)
	}
}

func TestShutdown(t *testing.T) {
	ctx, client, ended := connected(t)
	for _, mode := range []guestagent.ShutdownMode{"", guestagent.Reboot} {
		if err := client.Shutdown(ctx, mode); err != nil {
			t.Fatal(err)
		}
		if got := <-ended; got != mode && got != guestagent.Powerdown {
			t.Errorf("got %q, want %q", got, mode)
		}
	}
	for mode, want := range map[guestagent.ShutdownMode]string{
		guestagent.Halt: "guest-shutdown: guest: this guest does not halt",
		"sleep":         `guest-shutdown: guest: unknown mode "sleep" (choose powerdown, halt, reboot)`,
	} {
		if err := client.Shutdown(ctx, mode); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestConsoleSize(t *testing.T) {
	ctx, client, _ := connected(t)
	for device, want := range map[string]string{
		"../etc/passwd": `invalid device "../etc/passwd": want a console, e.g. hvc0`,
		"pts/0":         `invalid device "pts/0": want a console, e.g. hvc0`,
		"hvc99":         "/dev/hvc99: " + unix.ENOENT.Error(),
	} {
		if err := client.SetConsoleSize(ctx, device, 24, 80); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", device, err)
		}
	}
	for _, n := range []int{0, -1, 1 << 16} {
		if err := client.SetConsoleSize(ctx, "hvc0", n, 80); err == nil || !strings.Contains(err.Error(), "want 1 to 65535") {
			t.Errorf("%d rows: %v", n, err)
		}
	}
	// The names of BSD pseudoterminals match consoleForm, if the host has any.
	control, err := os.OpenFile("/dev/ptya0", os.O_RDWR, 0)
	if err != nil {
		return // a test in tests/guest sets the sizes of consoles
	}
	defer control.Close()
	if err := client.SetConsoleSize(ctx, "ttya0", 33, 99); err != nil {
		t.Error(err)
	}
	if size, err := pty.GetsizeFull(control); err != nil || size.Rows != 33 || size.Cols != 99 {
		t.Errorf("%v, %+v", err, size)
	}
}

// The errors of the JSON parser change with the version of Go, so only the text before them is tested.
func TestInvalidRequests(t *testing.T) {
	for request, want := range map[string]string{
		`{"execute":"guest-ping","arguments":{"x":1}}`: "arguments: ",
		`guest-ping`: "JSON parse error: ",
		`[]`:         "JSON parse error: ",
	} {
		first, second, _ := strings.Cut(answers(t, request+"\n{\"execute\":\"guest-ping\"}\n"), "\n")
		var answer struct {
			Error struct{ Class, Desc string }
		}
		if err := json.Unmarshal([]byte(first), &answer); err != nil || answer.Error.Class != "GenericError" || !strings.HasPrefix(answer.Error.Desc, want) {
			t.Errorf("%s: answered %s (%v), want %q…", request, first, err, want)
		}
		if second != "{\"return\":{}}\n" {
			t.Errorf("%s: the next answer is %s", request, second)
		}
	}
}

// answers returns the answers of a server to text.
func answers(t testing.TB, text string) string {
	t.Helper()
	s := server.New("1", func(guestagent.ShutdownMode) error { return nil })
	conn := &recorder{Reader: strings.NewReader(text)}
	if err := s.Serve(t.Context(), conn); err != nil {
		t.Error(err)
	}
	return conn.sent.String()
}

// recorder records what is written to it.
type recorder struct {
	io.Reader
	sent strings.Builder
}

func (r *recorder) Write(p []byte) (int, error) { return r.sent.Write(p) }

func TestRawRequests(t *testing.T) {
	tests := []struct{ name, request, want string }{
		{"a ping", `{"execute":"guest-ping"}`, `{"return":{}}`},
		{"a ping with an id", `{"execute":"guest-ping","arguments":{},"id":["x",1]}`, `{"return":{},"id":["x",1]}`},
		{"a synchronization", `{"execute":"guest-sync","arguments":{"id":-5}}`, `{"return":-5}`},
		{"a delimited synchronization", "{\"exec\xFF" + `{"execute":"guest-sync-delimited","arguments":{"id":5}}`, "\xFF" + `{"return":5}`},
		{"a synchronization without an id", `{"execute":"guest-sync"}`, `{"error":{"class":"GenericError","desc":"parameter 'id' is missing"}}`},
		{"an unknown command", `{"execute":"guest-fly"}`, `{"error":{"class":"CommandNotFound","desc":"The command guest-fly has not been found"}}`},
		{"a shutdown, which is not answered", `{"execute":"guest-shutdown"}`, ""},
		{"a status of an unknown process", `{"execute":"guest-exec-status","arguments":{"pid":0}}`, `{"error":{"class":"GenericError","desc":"PID 0 does not exist"}}`},
		{"an output of an unknown process", `{"execute":"microvm-exec-output","arguments":{"pid":1}}`, `{"error":{"class":"GenericError","desc":"PID 1 does not exist"}}`},
		{"exec without a program", `{"execute":"guest-exec","arguments":{}}`, `{"error":{"class":"GenericError","desc":"parameter 'path' is missing"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want != "" {
				want += "\n"
			}
			if diff := cmp.Diff(want+"{\"return\":{}}\n", answers(t, test.request+"\n{\"execute\":\"guest-ping\"}\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A request of 1 GiB uses little memory, and the next one is answered.
func TestLongRequest(t *testing.T) {
	s := server.New("1", nil)
	long := io.LimitReader(endless{}, 1<<30)
	conn := &recorder{Reader: io.MultiReader(strings.NewReader(`{"execute":"`), long, strings.NewReader("\n{\"execute\":\"guest-ping\"}\n"))}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := s.Serve(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	want := fmt.Sprintf("{\"error\":{\"class\":\"GenericError\",\"desc\":\"request longer than %d bytes\"}}\n{\"return\":{}}\n", 8<<20)
	if diff := cmp.Diff(want, conn.sent.String()); diff != "" {
		t.Error(diff)
	}
}

// endless is a reader of x without end.
type endless struct{}

var manyX = bytes.Repeat([]byte("x"), 64<<10)

func (endless) Read(p []byte) (int, error) { return copy(p, manyX), nil }

// After arbitrary input without commands that change the host, a ping is answered.
func FuzzServe(f *testing.F) {
	for _, text := range []string{
		`{"execute":"guest-sync","arguments":{"id":1}}`, `{"execute":"guest-info","id":{}}`, `{"execute":1}`, "\xFF", "null", "{", "\n\n",
		`{"execute":"microvm-exec-output","arguments":{"pid":1,"wait-ms":-1}}`, `{"execute":"guest-get-osinfo","arguments":null}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range []string{"exec\"", "exec-", "time", "size", "\\"} { // it may run as root
			if strings.Contains(text, word) {
				return
			}
		}
		if got := answers(t, text+"\n{\"execute\":\"guest-ping\"}\n"); !strings.HasSuffix(got, "{\"return\":{}}\n") {
			t.Errorf("%q has the answer %q", text, got)
		}
	})
}
