package relay

import (
	"net"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"microvm-console/tests/internal/harness"
)

// TestMetrics parses the response of GET /metrics with the parser of Prometheus.
func TestMetrics(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	writeSettings(t, `"retentionMiB": 1024`)
	relay := startRelay(t, "serial")
	lock := lockSerial(t, relay)
	defer lock.Close()
	reader, err := net.Dial("unix", publicPath(t, "serial", "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 0, 1 << 20, 0, true})
	awaitPrinted(t, 1<<20)
	readSome(t, reader, 1<<20)
	answer, err := controlClient(t, "serial").Get("http://channel/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	for name, want := range map[string]float64{
		"attached": 1, "boot": 1, "bytes_total": 1 << 20, "kept_bytes": 1 << 20, "clients": 1, "gaps": 0, "missing_bytes": 0,
	} {
		family := families["microvm_console_"+name]
		if len(family.GetMetric()) != 1 {
			t.Errorf("%s: %v", name, family)
			continue
		}
		metric := family.GetMetric()[0]
		if got := metric.GetGauge().GetValue() + metric.GetCounter().GetValue(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
		for _, label := range metric.GetLabel() {
			if label.GetValue() != "serial" {
				t.Errorf("%s: %v", name, label)
			}
		}
	}
	relay.stop()
}
