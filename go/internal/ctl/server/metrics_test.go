package server

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/state"
)

func TestMetrics(t *testing.T) {
	status := state.Machine{Name: "demo", State: state.Ready, Started: time.UnixMilli(1_700_000_000_500), ReadySeconds: 2.1, Restarts: 3, Consoles: []state.Console{
		{Name: "serial", Relay: &state.Relay{
			Attached: true, Boot: 3, Start: 100, Oldest: 40, End: 1100, Input: 5,
			Clients: []state.Client{{Lag: 7}, {Lag: 700}, {}},
			Gaps:    []state.Gap{{Offset: 50, Bytes: 8}, {Offset: 90, Bytes: 2}},
		}},
		{Name: "console", Relay: &state.Relay{Boot: 3}},
		{Name: "qemu's own"},
	}}
	var text strings.Builder
	if err := writeMetrics(&text, status); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(text.String()) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(line, "microvm_console_")))
		}
	}
	want := []string{
		`microvm_start_time_seconds{vm="demo"} 1700000000.5`, `microvm_ready{vm="demo"} 1`,
		`microvm_ready_seconds{vm="demo"} 2.1`, `microvm_restarts_total{vm="demo"} 3`,
	}
	for _, row := range []struct{ name, serial, console string }{
		{"attached", "1", "0"}, {"boot", "3", "3"}, {"bytes_total", "1100", "0"}, {"boot_bytes", "1000", "0"},
		{"kept_bytes", "1060", "0"}, {"gaps", "2", "0"}, {"missing_bytes", "10", "0"},
		{"clients", "3", "0"}, {"lag_bytes", "700", "0"}, {"input_bytes", "5", "0"},
	} {
		want = append(want, row.name+`{vm="demo",console="serial"} `+row.serial, row.name+`{vm="demo",console="console"} `+row.console)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text.Reset()
	if err := writeMetrics(&text, state.Machine{State: state.Relaying}); err != nil || text.Len() > 0 {
		t.Errorf("of no relay: %v, %q", err, &text)
	}
}
