package asciicast

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/journal"
)

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, boot := range []string{"first boot\r\n", strings.Repeat("second boot €\r\n", 200_000)} {
		if _, err := j.Boot(); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Write([]byte(boot)); err != nil {
			t.Fatal(err)
		}
		snapshot, err := journal.TakeSnapshot(dir)
		if err != nil {
			t.Fatal(err)
		}
		newest, err := snapshot.Boot(0)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := Record(&out, "demo", snapshot, newest); err != nil {
			t.Fatal(err)
		}
		if texts(t, out.String()) != boot {
			t.Errorf("boot %d: the recording is not what was printed", newest.Number)
		}
		var header struct{ Timestamp int64 }
		first, _, _ := strings.Cut(out.String(), "\n")
		if err := json.Unmarshal([]byte(first), &header); err != nil {
			t.Fatal(err)
		}
		if header.Timestamp != newest.Started.Unix() {
			t.Errorf("timestamp %d, want %d", header.Timestamp, newest.Started.Unix())
		}
	}
}

// Record returns the error of its last write, which is the only one of a short recording.
func TestRecordToAFullDisk(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Record(fullDisk{}, "", snapshot, journal.Boot{Start: 0, End: 5}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
}

// fullDisk is a file on a disk without space.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// Bytes that were never kept become a marker at their place.
func TestRecordWithALoss(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"before", "after"} {
		if i == 1 {
			j.Lose(7, errors.New("disk full"))
		}
		if _, err := j.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Record(&out, "", snapshot, journal.Boot{Start: 0, End: 11}); err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(out.String(), `"m","7 bytes are missing here: disk full"]`)
	if !found || !strings.Contains(before, `"before"`) || !strings.Contains(after, `"after"`) {
		t.Error(out.String())
	}
}

// Each restart of the guest that is kept becomes a marker at its place, also in the middle of what
// was written at once, and at the end.
func TestRecordWithRestarts(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Write([]byte("dropped, first\xe2\x82\xac, second")); err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	var restarts []journal.Restart
	for _, offset := range []int64{5, 16, 25, 26} { // 26 is after the end of the snapshot
		restarts = append(restarts, journal.Restart{Offset: offset, Time: start})
	}
	var out strings.Builder
	if err := Record(&out, "", snapshot, journal.Boot{Start: 9, End: 25, Restarts: restarts}); err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`(?m)^\[[0-9.]+,`)
	want := `"o","first"]
"m","the guest restarted"]
"o","€, second"]
"m","the guest restarted"]
`
	_, events, _ := strings.Cut(out.String(), "\n")
	if diff := cmp.Diff(want, times.ReplaceAllString(events, "")); diff != "" {
		t.Error(diff)
	}
}

// Bytes that retention or another program removes while the boot is read become a marker.
func TestRecordWithAGap(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments %q: %v", files, err)
	}
	if err := os.Truncate(files[0], 4); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Record(&out, "", snapshot, journal.Boot{Start: 0, End: 10}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"m","6 bytes are missing here: no longer kept"]`) || texts(t, out.String()) != "0123" {
		t.Error(out.String())
	}
}
