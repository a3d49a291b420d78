package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"microvm-console/internal/state"
)

// metricsType is the content type of Prometheus' text format, version 0.0.4.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// metrics are the metrics of each console that has a relay.
var metrics = []struct {
	name, kind, help string
	value            func(*state.Relay) int64
}{
	{"attached", "gauge", "Whether a VM is attached.", func(r *state.Relay) int64 {
		if r.Attached {
			return 1
		}
		return 0
	}},
	{"boot", "gauge", "Number of the newest boot.", func(r *state.Relay) int64 { return int64(r.Boot) }},
	{"bytes_total", "counter", "Bytes in the stream since it began.", func(r *state.Relay) int64 { return r.End }},
	{"boot_bytes", "gauge", "Bytes in the stream of the newest boot.", func(r *state.Relay) int64 { return r.End - r.Start }},
	{"kept_bytes", "gauge", "Bytes of the stream that are kept.", func(r *state.Relay) int64 { return r.End - r.Oldest }},
	{"gaps", "gauge", "Gaps in the kept part of the stream.", func(r *state.Relay) int64 { return int64(len(r.Gaps)) }},
	{"missing_bytes", "gauge", "Bytes that are missing in these gaps.", func(r *state.Relay) (bytes int64) {
		for _, gap := range r.Gaps {
			bytes += gap.Bytes
		}
		return bytes
	}},
	{"clients", "gauge", "Clients that are attached.", func(r *state.Relay) int64 { return int64(len(r.Clients)) }},
	{"lag_bytes", "gauge", "How many bytes the slowest client has not read yet.", func(r *state.Relay) (bytes int64) {
		for _, client := range r.Clients {
			bytes = max(bytes, client.Lag)
		}
		return bytes
	}},
	{"input_bytes", "gauge", "Bytes that wait for the guest to read them.", func(r *state.Relay) int64 { return int64(r.Input) }},
}

// metrics answers GET /metrics.
func (h Handlers) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", metricsType)
	_ = writeMetrics(w, h.Status()) // fails only if the client has disconnected
}

// machineMetrics are the metrics of the machine itself.
var machineMetrics = []struct {
	name, kind, help string
	value            func(state.Machine) float64
}{
	{"start_time_seconds", "gauge", "When the owner started the machine, in seconds since 1970.", func(s state.Machine) float64 {
		return float64(s.Started.UnixMilli()) / 1000
	}},
	{"ready", "gauge", "Whether the guest is ready.", func(s state.Machine) float64 {
		if s.State == state.Ready {
			return 1
		}
		return 0
	}},
	{"ready_seconds", "gauge", "How long the guest took to be ready; 0 until then.", func(s state.Machine) float64 { return s.ReadySeconds }},
	{"restarts_total", "counter", "How often the guest has restarted itself.", func(s state.Machine) float64 { return float64(s.Restarts) }},
}

// writeMetrics writes the metrics of a machine, or of a channel, which has only those of
// its console. The names of machines and consoles need no escapes in a label.
func writeMetrics(w io.Writer, status state.Machine) error {
	out := bufio.NewWriter(w)
	head := func(name, kind, help string) {
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	for _, m := range machineMetrics {
		if status.State != state.Relaying {
			head("microvm_"+m.name, m.kind, m.help)
			fmt.Fprintf(out, "microvm_%s{vm=%q} %s\n", m.name, status.Name, strconv.FormatFloat(m.value(status), 'f', -1, 64))
		}
	}
	consoles := slices.DeleteFunc(slices.Clone(status.Consoles), func(c state.Console) bool { return c.Relay == nil })
	for _, m := range metrics {
		if len(consoles) > 0 {
			head("microvm_console_"+m.name, m.kind, m.help)
		}
		for _, console := range consoles {
			fmt.Fprintf(out, "microvm_console_%s{vm=%q,console=%q} %d\n", m.name, status.Name, console.Name, m.value(console.Relay))
		}
	}
	return out.Flush()
}
