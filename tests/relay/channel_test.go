package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// writeSettings writes the settings of the relays that the test starts. Their directory is the
// run folder of the test; more has further fields.
func writeSettings(t *testing.T, more string) {
	t.Helper()
	path := filepath.Join(harness.Getenv(t, "XDG_RUNTIME_DIR"), "config.json")
	text := fmt.Sprintf(`{"directory": %q, %s}`, filepath.Dir(path), more)
	harness.WriteFile(t, path, text)
	harness.Setenv(t, "QEMU_RELAY_CONFIG", path)
}

// privatePath returns the path of a file in a channel's private folder.
func privatePath(t *testing.T, name, file string) string {
	return filepath.Join(harness.Getenv(t, "XDG_RUNTIME_DIR"), "qemu-relay", name, file)
}

// publicPath returns the path of a public endpoint of a channel, as "out" or "sock".
func publicPath(t *testing.T, name, suffix string) string {
	return filepath.Join(harness.Getenv(t, "XDG_RUNTIME_DIR"), "qemu-"+name+"."+suffix)
}

func journalDir(t *testing.T, name string) string {
	return filepath.Join(harness.Getenv(t, "XDG_STATE_HOME"), "qemu-relay", name)
}

// controlClient returns an HTTP client of a channel's control socket.
func controlClient(t *testing.T, name string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", privatePath(t, name, "ctl"))
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: harness.WaitLimit}
}

// relayStatus is the part of GET /status that the tests use.
type relayStatus struct {
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

// readStatus sends GET /status to a relay.
func readStatus(client *http.Client) (state relayStatus, err error) {
	response, err := client.Get("http://channel/status")
	if err != nil {
		return state, err
	}
	defer response.Body.Close()
	var status struct {
		Consoles []struct{ Relay relayStatus }
	}
	if err = json.NewDecoder(response.Body).Decode(&status); err == nil && len(status.Consoles) != 1 {
		err = fmt.Errorf("%d consoles", len(status.Consoles))
	}
	if err != nil {
		return state, err
	}
	return status.Consoles[0].Relay, nil
}

// channelStatus returns the status of a channel, whose relay must run.
func channelStatus(t *testing.T, name string) relayStatus {
	t.Helper()
	state, err := readStatus(controlClient(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// awaitNoClients waits until the relay of a channel has no client.
func awaitNoClients(t *testing.T, name string) {
	t.Helper()
	for late := time.Now().Add(harness.WaitLimit); len(channelStatus(t, name).Clients) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%s: clients are still attached after %v: %+v", name, harness.WaitLimit, channelStatus(t, name).Clients)
		}
	}
}

// lost returns the number of bytes in the gaps.
func (s relayStatus) lost() (bytes int64) {
	for _, gap := range s.Gaps {
		bytes += gap.Bytes
	}
	return bytes
}

// freePorts returns a free port for each channel, and the field of the settings with these
// ports.
func freePorts(t *testing.T, names ...string) (ports map[string]int, settings string) {
	t.Helper()
	ports = map[string]int{}
	channels := map[string]any{}
	for _, name := range names {
		ports[name] = harness.FreePort(t)
		channels[name] = map[string]int{"tcp": ports[name]}
	}
	text, err := json.Marshal(channels)
	if err != nil {
		t.Fatal(err)
	}
	return ports, `"channels": ` + string(text)
}
