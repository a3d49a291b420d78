package harness

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

// Console has the fields of a console's status that tests use.
type Console struct {
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

// ControlSocket returns the path of the demo's control socket. dir is the run folder;
// see OwnFolders.
func ControlSocket(dir string) string { return filepath.Join(dir, "microvm", "console-demo", "ctl") }

// Request sends a request to the demo's control socket. The caller closes the body.
func Request(t *testing.T, dir, method, target, body string) *http.Response {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", ControlSocket(dir))
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

// Consoles returns the status of the demo's two consoles.
func Consoles(t *testing.T, dir string) []Console {
	t.Helper()
	answer := Request(t, dir, http.MethodGet, "/status", "")
	defer answer.Body.Close()
	var status struct{ Consoles []Console }
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil || len(status.Consoles) != 2 {
		t.Fatalf("status: %v, %+v", err, status)
	}
	return status.Consoles
}

// AwaitNoClients waits until no client is attached to the demo's consoles.
func AwaitNoClients(t *testing.T, dir string) {
	t.Helper()
	begin := time.Now()
	for _, place := range []int{0, 1} {
		for len(Consoles(t, dir)[place].Relay.Clients) > 0 {
			if time.Since(begin) > WaitLimit {
				t.Fatalf("clients are still attached: %+v", Consoles(t, dir))
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// ReadJournal returns the contents of the console's journal.
func (c Console) ReadJournal(t *testing.T) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.Relay.Journal, "*.log")) // sorted by name, which is their order
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
