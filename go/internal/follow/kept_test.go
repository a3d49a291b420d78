package follow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/journal"
)

// write creates a journal with one boot for each text.
func write(t *testing.T, boots ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range boots {
		if _, err := j.Boot(); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func snapshotOf(t *testing.T, dir string) *journal.Snapshot {
	t.Helper()
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// events returns a handler that appends each event to lines.
func events(lines *[]string) func(Event) error {
	return func(e Event) error {
		switch e.Kind {
		case Boot:
			*lines = append(*lines, fmt.Sprintf("%d boot %d", e.Offset, e.Boot.Number))
		case Data:
			*lines = append(*lines, fmt.Sprintf("%d %q %t", e.Offset, e.Data, e.History))
		case Gap:
			*lines = append(*lines, fmt.Sprintf("%d missing %d", e.Offset, e.Missing))
		default:
			*lines = append(*lines, fmt.Sprintf("%d kind %d", e.Offset, e.Kind))
		}
		return nil
	}
}

func TestKept(t *testing.T) {
	dir := write(t, "one\n", "two\n", "three\n", "")
	for _, test := range []struct {
		name       string
		start, end int64
		want       []string
	}{
		{"everything", 0, 14, []string{`0 boot 1`, `0 "one\n" true`, `4 boot 2`, `4 "two\n" true`, `8 boot 3`, `8 "three\n" true`}},
		{"one boot", 4, 8, []string{`4 boot 2`, `4 "two\n" true`}},
		{"from the middle of one", 5, 10, []string{`5 "wo\n" true`, `8 boot 3`, `8 "th" true`}},
		{"a boot that printed nothing", 14, 14, []string{`14 boot 4`}},
	} {
		var got []string
		if err := Kept(snapshotOf(t, dir), test.start, test.end, events(&got)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Missing bytes are a Gap event at their place. What follows has its right offset.
func TestKeptWithAGap(t *testing.T) {
	dir := write(t, "one\n", "two\n", "three\n")
	segments, err := filepath.Glob(filepath.Join(dir, "*.000002.log"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("%q, %v", segments, err)
	}
	snapshot := snapshotOf(t, dir)
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := Kept(snapshot, 0, 14, events(&got)); err != nil {
		t.Fatal(err)
	}
	want := []string{`0 boot 1`, `0 "one\n" true`, `4 boot 2`, `8 missing 4`, `8 boot 3`, `8 "three\n" true`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Bytes that were never kept are a Gap event too.
func TestKeptWithALoss(t *testing.T) {
	dir := write(t, "one\n", "two\n")
	gaps := `{"offset":2,"bytes":7,"cause":"full"}` + "\n" + `{"offset":4,"bytes":0,"cause":"overrun"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "gaps"), []byte(gaps), 0o600); err != nil {
		t.Fatal(err)
	}
	for start, want := range map[int64][]string{
		0: {`0 boot 1`, `0 "on" true`, `2 missing 7`, `2 "e\n" true`, `4 boot 2`, `4 missing -1`, `4 "two\n" true`},
		4: {`4 boot 2`, `4 missing -1`, `4 "two\n" true`},
		5: {`5 "wo\n" true`},
	} {
		var got []string
		if err := Kept(snapshotOf(t, dir), start, 8, events(&got)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from %d (-want +got):\n%s", start, diff)
		}
	}
}

// A stream is read in pieces. An error of the handler ends that.
func TestKeptInPieces(t *testing.T) {
	long := strings.Repeat("0123456789\n", 300_000)
	dir := write(t, long)
	var got bytes.Buffer
	errFull := errors.New("full")
	most := len(long)
	handle := func(e Event) error {
		if got.Len()+len(e.Data) > most {
			return errFull
		}
		got.Write(e.Data)
		return nil
	}
	if err := Kept(snapshotOf(t, dir), 0, int64(len(long)), handle); err != nil || got.String() != long {
		t.Errorf("%d bytes of %d: %v", got.Len(), len(long), err)
	}
	got.Reset()
	most = len(long) / 2
	if err := Kept(snapshotOf(t, dir), 0, int64(len(long)), handle); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
