package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// console is what a test wants to know of one of the demo's consoles.
type console struct {
	Name, Device string
	Port         int
	Relay        struct {
		Socket, Journal string
		Exact           bool
		Start, End      int64
		Clients         []struct{ Kind string }
		Gaps            []struct{ Bytes int64 }
	}
}

// ctlSocket is the demo's control socket in the folder of private.
func ctlSocket(dir string) string { return filepath.Join(dir, "microvm", "console-demo", "ctl") }

// request asks the demo's control socket, which is nobody who reads a console.
func request(t *testing.T, dir, method, target, body string) *http.Response {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", ctlSocket(dir))
	}}
	ask, err := http.NewRequestWithContext(t.Context(), method, "http://vm"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(ask)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", method, target, answer.Status)
	}
	return answer
}

// consoles are the demo's consoles as they are now.
func consoles(t *testing.T, dir string) []console {
	t.Helper()
	answer := request(t, dir, http.MethodGet, "/status", "")
	defer answer.Body.Close()
	var status struct{ Consoles []console }
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil || len(status.Consoles) != 2 {
		t.Fatalf("status: %v, %+v", err, status)
	}
	return status.Consoles
}

// alone waits until nobody reads a console any more.
func alone(t *testing.T, dir string) {
	t.Helper()
	begin := time.Now()
	for _, place := range []int{0, 1} {
		for len(consoles(t, dir)[place].Relay.Clients) > 0 {
			if time.Since(begin) > waitLimit {
				t.Fatalf("somebody is still attached: %+v", consoles(t, dir))
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// journal is all that a console has printed, from the files that keep it.
func (c console) journal(t *testing.T) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.Relay.Journal, "*.log")) // by name: in their order
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no journal: %v", c.Relay.Journal, err)
	}
	var text bytes.Buffer
	for _, file := range files {
		part, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(part)
	}
	return text.Bytes()
}
