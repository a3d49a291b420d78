package relay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestBenchRelay runs a short scripts/bench relay: every case of our relay has a result, none
// of its clients missed a byte, and the picture and the tables exist. It does not check speed.
func TestBenchRelay(t *testing.T) {
	harness.OnlyAll(t)
	dir := t.TempDir()
	harness.Must(t, harness.Root, "scripts/bench", "relay", "--quick", "--only", "qemu-relay", "--output", dir)
	data := harness.ReadFile(t, filepath.Join(dir, "relay.json"))
	var results struct {
		Figures []struct {
			Candidate, Name, Cannot string
			Values                  []float64
		}
	}
	if err := json.Unmarshal([]byte(data), &results); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, figure := range results.Figures {
		if strings.HasPrefix(figure.Cannot, "failed") || figure.Cannot == "" && len(figure.Values) == 0 {
			t.Errorf("%s, %s: %s", figure.Candidate, figure.Name, figure.Cannot)
			continue
		}
		if strings.HasPrefix(figure.Name, "rate ") {
			moved++
		}
		if strings.Contains(figure.Name, "lost") && figure.Values[0] != 0 {
			t.Errorf("%s, %s: %v, want 0", figure.Candidate, figure.Name, figure.Values)
		}
		// This guest drops what does not fit into the FIFO, which happens on a busy host too.
		// A late client without history misses half of the stream.
		if figure.Name == "late" && figure.Values[0] >= 0.5 {
			t.Errorf("%s: a late client misses %v of the stream", figure.Candidate, figure.Values)
		}
	}
	if moved != 9 { // 1, 10 and 100 clients; without a relay, by a Unix socket, by TCP
		t.Errorf("got %d rates, want 9", moved)
	}
	for file, want := range map[string]string{"relay.md": "| qemu-relay, TCP |", "relay.svg": "<svg"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: no %q (%v)", file, want, err)
		}
	}
}

// TestBenchSoak runs scripts/bench soak for two minutes: no byte is missing or repeated and no
// process grows. It also runs the tests of the oracle that finds such bytes.
func TestBenchSoak(t *testing.T) {
	harness.OnlyAll(t)
	if os.Getuid() != 0 {
		harness.Skip(t, "root", "the soak mounts a file system; run scripts/test as root")
	}
	harness.Must(t, harness.Root, "go", "-C", "tests/bench", "test", "-count=1", "./...")
	text := harness.Must(t, harness.Root, "scripts/bench", "soak", "--quick")
	for what, want := range map[string]int{"\n| microvm-run ": 3, "\n| qemu-relay ": 3, "\n| soak-": 6, "\n- full disks: 2\n": 1} {
		if found := strings.Count(text, what); found != want {
			t.Errorf("%q appears %d times, want %d:\n%s", what, found, want, text)
		}
	}
}
