package accel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// hangLimit bounds waits that end at once in a test that passes.
const hangLimit = 60 * time.Second

// unlimited are limits that no test reaches.
var unlimited = limits{hangLimit, hangLimit}

// The test binary acts as QEMU if ACCEL_TEST is set: it appends its process id to the file
// ACCEL_TEST_PIDS, and does what ACCEL_TEST says.
func TestMain(m *testing.M) {
	word := os.Getenv("ACCEL_TEST")
	if word == "" {
		os.Exit(m.Run())
	}
	pids, err := os.OpenFile(os.Getenv("ACCEL_TEST_PIDS"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(pids, os.Getpid())
	switch word {
	case "prints":
		fmt.Println("[    0.000000] Linux version 6.1.0")
		time.Sleep(time.Hour)
	case "prints in pieces":
		for _, piece := range strings.Split("Probing EDD... ok\r\nLi|nux| versio|n 6.1", "|") {
			fmt.Print(piece)
			time.Sleep(10 * time.Millisecond) // so that each is read by itself
		}
		time.Sleep(time.Hour)
	case "prints and exits":
		fmt.Print("Linux version 6.1")
	case "exits":
		fmt.Print("Linux versio")
		os.Exit(3)
	case "spins":
		for begin := time.Now(); time.Since(begin) < time.Hour; {
			continue
		}
	case "prints late":
		time.Sleep(time.Second)
		fmt.Println("Linux version 6.1.0")
		time.Sleep(time.Hour)
	case "hangs":
		fmt.Print("Probing EDD (edd=off to disable)... ok")
		time.Sleep(time.Hour)
	}
}

// fake has the test binary act as a QEMU that does what word says, and returns its command line.
func fake(t *testing.T, word string) []string {
	t.Helper()
	t.Setenv("ACCEL_TEST", word)
	t.Setenv("ACCEL_TEST_PIDS", filepath.Join(t.TempDir(), "pids"))
	t.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector it ends at once too
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self}
}

// started returns the process ids of the QEMUs that the test has started. All of them must
// have ended.
func started(t *testing.T) []int {
	t.Helper()
	data, err := os.ReadFile(os.Getenv("ACCEL_TEST_PIDS"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var pids []int
	for _, line := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("QEMU %d was left running", pid)
		}
		pids = append(pids, pid)
	}
	return pids
}

func TestProbe(t *testing.T) {
	tests := []struct {
		word  string
		limit limits
		want  result
	}{
		{"prints", unlimited, result{Works: true}},
		{"prints in pieces", unlimited, result{Works: true}},
		{"prints and exits", unlimited, result{Works: true}},
		{"exits", unlimited, result{Trouble: "QEMU ended with status 3"}},
		{"hangs", limits{hangLimit, 200 * time.Millisecond}, result{Trouble: "no kernel line within 200ms"}},
		{"spins", limits{300 * time.Millisecond, hangLimit}, result{Trouble: "no kernel line within 300ms of processor time"}},
		// It sleeps for longer than the limit of processor time.
		{"prints late", limits{500 * time.Millisecond, hangLimit}, result{Works: true}},
	}
	for _, test := range tests {
		t.Run(test.word, func(t *testing.T) {
			got, err := probe(t.Context(), fake(t, test.word), test.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			started(t) // fails if QEMU runs
		})
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	argv := fake(t, "hangs")
	cause := errors.New("canceled")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	if _, err := probe(ctx, argv, unlimited); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestProbeWithoutQEMU(t *testing.T) {
	if _, err := probe(t.Context(), []string{"/none"}, unlimited); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
