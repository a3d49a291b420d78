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

// hangLimit is when a test gives up on something that should have come.
const hangLimit = 60 * time.Second

// connected is a client with a server behind it, which tells modes of shutdowns.
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
	return ctx, client, ended
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
			t.Errorf("%s is not there", name)
		}
	}
	if info.Supports("guest-file-open") {
		t.Error("it has what it has not")
	}
}

func TestOSInfoIsThatOfThisMachine(t *testing.T) {
	host := newRaw(t)
	host.say(`{"execute": "guest-get-osinfo"}` + "\n")
	var answer struct {
		Return struct {
			ID, Machine   string
			KernelRelease string `json:"kernel-release"`
		}
	}
	host.hear(&answer)
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
		"sleep":         `guest-shutdown: guest: mode "sleep" is unknown (powerdown, halt, reboot)`,
	} {
		if err := client.Shutdown(ctx, mode); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestConsoleSize(t *testing.T) {
	ctx, client, _ := connected(t)
	for device, want := range map[string]string{
		"../etc/passwd": `device "../etc/passwd" is no console (as hvc0)`,
		"pts/0":         `device "pts/0" is no console (as hvc0)`,
		"hvc99":         "/dev/hvc99: " + unix.ENOENT.Error(),
	} {
		if err := client.SetConsoleSize(ctx, device, 24, 80); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", device, err)
		}
	}
	for _, n := range []int{0, -1, 1 << 16} {
		if err := client.SetConsoleSize(ctx, "hvc0", n, 80); err == nil || !strings.Contains(err.Error(), "want numbers from 1 to 65535") {
			t.Errorf("%d rows: %v", n, err)
		}
	}
	// Old-style terminals have a name of the right form, where they exist.
	control, err := os.OpenFile("/dev/ptya0", os.O_RDWR, 0)
	if err != nil {
		return // tests/ has a guest with both consoles
	}
	defer control.Close()
	if err := client.SetConsoleSize(ctx, "ttya0", 33, 99); err != nil {
		t.Error(err)
	}
	if size, err := pty.GetsizeFull(control); err != nil || size.Rows != 33 || size.Cols != 99 {
		t.Errorf("%v, %+v", err, size)
	}
}

// The JSON parser's words about a request change with Go: ours stand before them.
func TestRequestsThatTheJSONParserRefuses(t *testing.T) {
	for request, want := range map[string]string{
		`{"execute":"guest-ping","arguments":{"x":1}}`: "arguments: ",
		`guest-ping`: "JSON parse error: ",
		`[]`:         "JSON parse error: ",
	} {
		first, second, _ := strings.Cut(say(t, request+"\n{\"execute\":\"guest-ping\"}\n"), "\n")
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

// say sends text to a server and returns all that it answers.
func say(t testing.TB, text string) string {
	t.Helper()
	s := server.New("1", func(guestagent.ShutdownMode) error { return nil })
	answers := &rememberer{Reader: strings.NewReader(text)}
	if err := s.Serve(t.Context(), answers); err != nil {
		t.Error(err)
	}
	return answers.said.String()
}

type rememberer struct {
	io.Reader
	said strings.Builder
}

func (r *rememberer) Write(p []byte) (int, error) { return r.said.Write(p) }

func TestRawRequests(t *testing.T) {
	tests := []struct{ name, request, want string }{
		{"a ping", `{"execute":"guest-ping"}`, `{"return":{}}`},
		{"with an id", `{"execute":"guest-ping","arguments":{},"id":["x",1]}`, `{"return":{},"id":["x",1]}`},
		{"a synchronisation", `{"execute":"guest-sync","arguments":{"id":-5}}`, `{"return":-5}`},
		{"a delimited one", "{\"exec\xFF" + `{"execute":"guest-sync-delimited","arguments":{"id":5}}`, "\xFF" + `{"return":5}`},
		{"one without its id", `{"execute":"guest-sync"}`, `{"error":{"class":"GenericError","desc":"parameter 'id' is missing"}}`},
		{"unknown", `{"execute":"guest-fly"}`, `{"error":{"class":"CommandNotFound","desc":"The command guest-fly has not been found"}}`},
		{"obeyed without a word", `{"execute":"guest-shutdown"}`, ""},
		{"a status of nobody", `{"execute":"guest-exec-status","arguments":{"pid":0}}`, `{"error":{"class":"GenericError","desc":"PID 0 does not exist"}}`},
		{"an output of nobody", `{"execute":"microvm-exec-output","arguments":{"pid":1}}`, `{"error":{"class":"GenericError","desc":"PID 1 does not exist"}}`},
		{"nothing to execute", `{"execute":"guest-exec","arguments":{}}`, `{"error":{"class":"GenericError","desc":"parameter 'path' is missing"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want != "" {
				want += "\n"
			}
			if diff := cmp.Diff(want+"{\"return\":{}}\n", say(t, test.request+"\n{\"execute\":\"guest-ping\"}\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A request of 1 GiB takes no memory, and the next one is answered.
func TestAnEndlessRequest(t *testing.T) {
	s := server.New("1", nil)
	long := io.LimitReader(endless{}, 1<<30)
	answers := &rememberer{Reader: io.MultiReader(strings.NewReader(`{"execute":"`), long, strings.NewReader("\n{\"execute\":\"guest-ping\"}\n"))}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := s.Serve(t.Context(), answers); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	want := fmt.Sprintf("{\"error\":{\"class\":\"GenericError\",\"desc\":\"a request has more than %d bytes\"}}\n{\"return\":{}}\n", 8<<20)
	if diff := cmp.Diff(want, answers.said.String()); diff != "" {
		t.Error(diff)
	}
}

// endless is a reader of x, for ever.
type endless struct{}

var manyX = bytes.Repeat([]byte("x"), 64<<10)

func (endless) Read(p []byte) (int, error) { return copy(p, manyX), nil }

// FuzzServe sends arbitrary bytes, none of which may start anything: nothing
// panics, and a ping behind them is answered.
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
		if got := say(t, text+"\n{\"execute\":\"guest-ping\"}\n"); !strings.HasSuffix(got, "{\"return\":{}}\n") {
			t.Errorf("%q has the answer %q", text, got)
		}
	})
}
