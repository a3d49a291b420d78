package ctl

import (
	"fmt"
	"io"
	"net/http"
	"slices"
)

// metricsType is the content type of Prometheus' text format, version 0.0.4.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// metrics are what GET /metrics tells of each console that has a relay. A scraper
// on this host joins the socket as curl does.
var metrics = []struct {
	name, kind, help string
	value            func(*Relay) int64
}{
	{"attached", "gauge", "Whether a VM is attached.", func(r *Relay) int64 {
		if r.Attached {
			return 1
		}
		return 0
	}},
	{"boot", "gauge", "Number of the newest boot.", func(r *Relay) int64 { return int64(r.Boot) }},
	{"bytes_total", "counter", "Bytes in the stream since it began.", func(r *Relay) int64 { return r.End }},
	{"boot_bytes", "gauge", "Bytes in the stream of the newest boot.", func(r *Relay) int64 { return r.End - r.Start }},
	{"kept_bytes", "gauge", "Bytes of the stream that are kept.", func(r *Relay) int64 { return r.End - r.Oldest }},
	{"gaps", "gauge", "Gaps in what is kept.", func(r *Relay) int64 { return int64(len(r.Gaps)) }},
	{"missing_bytes", "gauge", "Bytes that are missing there.", func(r *Relay) (bytes int64) {
		for _, gap := range r.Gaps {
			bytes += gap.Bytes
		}
		return bytes
	}},
	{"clients", "gauge", "Clients that are attached.", func(r *Relay) int64 { return int64(len(r.Clients)) }},
	{"lag_bytes", "gauge", "How far the slowest client is behind.", func(r *Relay) (bytes int64) {
		for _, client := range r.Clients {
			bytes = max(bytes, client.Lag)
		}
		return bytes
	}},
	{"input_bytes", "gauge", "Bytes that wait for the guest to read them.", func(r *Relay) int64 { return int64(r.Input) }},
}

// metrics answers GET /metrics.
func (h Handlers) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", metricsType)
	_ = writeMetrics(w, h.Status()) // the only error is that the client has gone
}

// writeMetrics writes the metrics of a machine. Its names need no escape in a label.
func writeMetrics(w io.Writer, status Status) error {
	consoles := slices.DeleteFunc(slices.Clone(status.Consoles), func(c Console) bool { return c.Relay == nil })
	if len(consoles) == 0 {
		return nil
	}
	for _, m := range metrics {
		name := "microvm_console_" + m.name
		if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, m.help, name, m.kind); err != nil {
			return err
		}
		for _, console := range consoles {
			if _, err := fmt.Fprintf(w, "%s{vm=%q,console=%q} %d\n", name, status.Name, console.Name, m.value(console.Relay)); err != nil {
				return err
			}
		}
	}
	return nil
}
