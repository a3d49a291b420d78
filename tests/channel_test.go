package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// setUp writes the settings of the relays that the test starts: its own folder,
// and more.
func setUp(t *testing.T, more string) {
	t.Helper()
	path := filepath.Join(getenv(t, "XDG_RUNTIME_DIR"), "config.json")
	text := fmt.Sprintf(`{"directory": %q, %s}`, filepath.Dir(path), more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	setenv(t, "QEMU_RELAY_CONFIG", path)
}

// channelPath is a file in a channel's private folder.
func channelPath(t *testing.T, name, file string) string {
	return filepath.Join(getenv(t, "XDG_RUNTIME_DIR"), "qemu-relay", name, file)
}

// publicPath is a channel's public endpoint: "out", "sock".
func publicPath(t *testing.T, name, suffix string) string {
	return filepath.Join(getenv(t, "XDG_RUNTIME_DIR"), "qemu-"+name+"."+suffix)
}

func journalOf(t *testing.T, name string) string {
	return filepath.Join(getenv(t, "XDG_STATE_HOME"), "qemu-relay", name)
}

// asking returns an HTTP client of a channel's control socket.
func asking(t *testing.T, name string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", channelPath(t, name, "ctl"))
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: waitLimit}
}

// channelState is what the tests want of GET /status.
type channelState struct {
	Exact       bool
	Boot        int
	Oldest, End int64
	Clients     []struct {
		Client string
		Lag    int64
	}
	Gaps []struct {
		Offset, Bytes int64
		Cause         string
	}
}

// ask is GET /status.
func ask(client *http.Client) (state channelState, err error) {
	response, err := client.Get("http://channel/status")
	if err != nil {
		return state, err
	}
	defer response.Body.Close()
	var status struct {
		Consoles []struct{ Relay channelState }
	}
	if err = json.NewDecoder(response.Body).Decode(&status); err == nil && len(status.Consoles) != 1 {
		err = fmt.Errorf("%d consoles", len(status.Consoles))
	}
	if err != nil {
		return state, err
	}
	return status.Consoles[0].Relay, nil
}

// stateOf is the state of a channel whose relay is up.
func stateOf(t *testing.T, name string) channelState {
	t.Helper()
	state, err := ask(asking(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// awaitNoClients waits until the relay of a channel has seen its last client leave.
func awaitNoClients(t *testing.T, name string) {
	t.Helper()
	for late := time.Now().Add(waitLimit); len(stateOf(t, name).Clients) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%s: clients are still attached after %v: %+v", name, waitLimit, stateOf(t, name).Clients)
		}
	}
}

// lost is how many bytes the gaps are.
func (s channelState) lost() (bytes int64) {
	for _, gap := range s.Gaps {
		bytes += gap.Bytes
	}
	return bytes
}
