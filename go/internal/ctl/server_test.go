package ctl_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/state"
	"microvm-console/internal/unixsock"
)

// socket returns a path for a control socket. It is shorter than one in t.TempDir, as the
// path of a Unix socket has at most 107 bytes.
func socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "ctl")
}

// serve serves h at path until end is called, which returns the error of Serve.
func serve(t testing.TB, path string, h server.Handlers) (end func() error) {
	t.Helper()
	listener, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener, h) }()
	ended := false
	end = func() error {
		cancel()
		ended = true
		return <-served
	}
	t.Cleanup(func() {
		if !ended {
			end()
		}
	})
	return end
}

var status = state.Machine{
	Name: "demo", State: state.Booting, PID: 12, QEMUPID: 34, Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	Accel: "tcg", Machine: "q35",
	Consoles: []state.Console{{Name: "serial", Device: "ttyS0", Port: 4440}, {Name: "console", Device: "hvc0", Port: 4441}},
}

func TestStatusRoundTrip(t *testing.T) {
	path := socket(t)
	serve(t, path, server.Handlers{Status: func() state.Machine { return status }})
	got, err := ctl.Client{Path: path}.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(status, got); diff != "" {
		t.Error(diff)
	}
}

func TestChannelStatus(t *testing.T) {
	relayed := state.Console{Name: "serial", Relay: &state.Relay{}}
	for _, test := range []struct {
		name     string
		consoles []state.Console
		ok       bool
	}{
		{"a channel", []state.Console{relayed}, true},
		{"no console", nil, false},
		{"a console without a relay", []state.Console{{Name: "serial"}}, false},
	} {
		path := socket(t)
		serve(t, path, server.Handlers{Status: func() state.Machine { return state.Machine{Consoles: test.consoles} }})
		if _, err := (ctl.Client{Path: path}).ChannelStatus(t.Context()); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestStopRoundTrip(t *testing.T) {
	tried := []ctl.Attempt{{"acpi", "no effect within 1s", 1.5}, {"quit", "worked", 0.25}}
	tests := []struct {
		name    string
		request ctl.StopRequest
		asked   ctl.StopRequest
		report  ctl.StopReport
		err     error
	}{
		{
			"the defaults", ctl.StopRequest{}, ctl.StopRequest{Timeout: ctl.DefaultTimeout},
			ctl.StopReport{Stage: "quit", Tried: tried}, nil,
		},
		{
			"by force within 1.5 s", ctl.StopRequest{Timeout: 1500 * time.Millisecond, Force: true},
			ctl.StopRequest{Timeout: 1500 * time.Millisecond, Force: true},
			ctl.StopReport{Stage: "quit", Tried: tried[1:]}, nil,
		},
		{
			"in vain", ctl.StopRequest{Timeout: time.Second}, ctl.StopRequest{Timeout: time.Second},
			ctl.StopReport{Tried: tried[:1]}, errors.New("still running"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := socket(t)
			var asked ctl.StopRequest
			serve(t, path, server.Handlers{Stop: func(_ context.Context, request ctl.StopRequest) (ctl.StopReport, error) {
				asked = request
				return test.report, test.err
			}})
			report, stopped, err := ctl.Client{Path: path}.Stop(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.asked, asked); diff != "" {
				t.Error("asked:", diff)
			}
			if diff := cmp.Diff(test.report, report); diff != "" {
				t.Error("reported:", diff)
			}
			if want := test.err == nil; stopped != want {
				t.Errorf("stopped is %t, want %t", stopped, want)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	path := socket(t)
	wrong := errors.New("a bad request was handled")
	serve(t, path, server.Handlers{
		Status: func() state.Machine { return state.Machine{Name: wrong.Error()} },
		Stop: func(context.Context, ctl.StopRequest) (ctl.StopReport, error) {
			return ctl.StopReport{Stage: wrong.Error()}, nil
		},
		Stream: func(context.Context, ctl.StreamRequest) (*ctl.Stream, error) { return nil, wrong },
		Input:  func(ctl.StreamRequest) (server.Typist, error) { return nil, wrong },
		Size:   func(ctl.SizeRequest) error { return wrong },
		Exec:   func(context.Context, ctl.ExecRequest, func(ctl.ExecFrame) error) error { return wrong },
	})
	_, escape := url.QueryUnescape("%zz")
	const ofStreams = "console, from, boot, client, terminal, gaps, seat"
	tests := []struct {
		method, target, body string
		status               int
		answer               string // "" for a text of net/http
	}{
		{"POST", "/stop?timeout=soon", "", 400, `invalid timeout "soon": must be a positive duration, e.g. 30s`},
		{"POST", "/stop?timeout=30", "", 400, `invalid timeout "30": must be a positive duration, e.g. 30s`},
		{"POST", "/stop?timeout=0s", "", 400, `invalid timeout "0s": must be a positive duration, e.g. 30s`},
		{"POST", "/stop?timeout=-1s", "", 400, `invalid timeout "-1s": must be a positive duration, e.g. 30s`},
		{"POST", "/stop?force=maybe", "", 400, `invalid force "maybe": must be true or false`},
		{"POST", "/stop?timeout=%zz", "", 400, "query: " + escape.Error()},
		{"POST", "/stop?now", "", 400, `query: unknown parameter "now" (POST /stop has timeout, force)`},
		{"GET", "/status?json=1", "", 400, `query: unknown parameter "json" (GET /status has none)`},
		{"GET", "/stream?form=start&console=serial", "", 400, `query: unknown parameter "form" (GET /stream has ` + ofStreams + ")"},
		{"POST", "/input?a%0A=1", "", 400, `query: unknown parameter "a\n" (POST /input has ` + ofStreams + ")"},
		{"POST", "/input?seat=mine", "", 400, `invalid seat "mine": must be take or force`},
		{"GET", "/stream?boot=1", "", 400, `invalid boot "1": 0 is the newest one, -1 the one before`},
		{"GET", "/stream?gaps=no", "", 400, `invalid gaps "no": must be true or false`},
		{"POST", "/size?rows=1&columns=1", "", 400, "client: is missing (use the name of its stream)"},
		{"POST", "/size?client=me&columns=1", "", 400, `invalid rows "": must be from 1 to 65535, e.g. rows=24&columns=80`},
		{"POST", "/exec", "{}", 400, `command: is missing (e.g. {"command": ["uname", "-r"]})`},
		{"POST", "/exec", `{"command": ["x"], "env": ["A=", "B"]}`, 400, `env: invalid variable "B" (write NAME=value)`},
		{"GET", "/stop", "", http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)},
		{"GET", "/stat", "", 404, ""},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			code, answer := ask(t, path, test.method, test.target, test.body)
			if code != test.status || test.answer != "" && answer != test.answer {
				t.Errorf("got %d %q, want %d %q", code, answer, test.status, test.answer)
			}
		})
	}
}

func TestHolderName(t *testing.T) {
	for holder, want := range map[string]string{
		"connect-serial[812]": "connect-serial (pid 812)",
		"me":                  "me", "a[": "a[", "a[b]": "a[b]", "a[1": "a[1", "a[1][2]": "a[1][2]", "": "",
	} {
		if got := (&ctl.SeatTakenError{Holder: holder}).HolderName(); got != want {
			t.Errorf("%q: got %q, want %q", holder, got, want)
		}
	}
}

// ask sends a request without a ctl.Client, and returns the status and the text of the
// answer.
func ask(t *testing.T, path, method, target, body string) (code int, answer string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://machine"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func TestRefusedStop(t *testing.T) {
	path := socket(t)
	serve(t, path, server.Handlers{Stop: func(context.Context, ctl.StopRequest) (ctl.StopReport, error) {
		t.Error("a bad request stopped the machine")
		return ctl.StopReport{}, nil
	}})
	_, stopped, err := ctl.Client{Path: path}.Stop(t.Context(), ctl.StopRequest{Timeout: -time.Second})
	want := `control socket: invalid timeout "-1s": must be a positive duration, e.g. 30s`
	if err == nil || err.Error() != want || stopped {
		t.Errorf("got  %v (stopped %t)\nwant %s", err, stopped, want)
	}
}

// The server closes a connection after its answer: an idle one would hold a descriptor.
func TestKeepAliveIsRefused(t *testing.T) {
	path := socket(t)
	serve(t, path, server.Handlers{Status: func() state.Machine { return status }})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /status HTTP/1.1\r\nHost: vm\r\nConnection: keep-alive\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("got %.40q, %v", answer, err)
	}
}

func TestSocketMode(t *testing.T) {
	path := socket(t)
	serve(t, path, server.Handlers{})
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := os.ModeSocket | 0o600; info.Mode() != want {
		t.Errorf("mode %v, want %v", info.Mode(), want)
	}
}

func TestStaleSocket(t *testing.T) {
	path := socket(t)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as after SIGKILL
	stale.Close()
	client := ctl.Client{Path: path}
	if _, err := client.Status(t.Context()); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a stale socket: %v", err)
	}
	end := serve(t, path, server.Handlers{Status: func() state.Machine { return status }})
	if _, err := client.Status(t.Context()); err != nil {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if exists(path) {
		t.Error("the socket is left behind")
	}
}
