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

// hangLimit is how long a test waits for what should have come at once.
const hangLimit = 60 * time.Second

// unlimited are limits that are not reached.
var unlimited = limits{hangLimit, hangLimit}

// The test binary is QEMU when it is started as one: it adds its process id to
// the file in ACCEL_TEST_PIDS, and does what the word in ACCEL_TEST says.
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
	case "speaks":
		fmt.Println("[    0.000000] Linux version 6.1.0")
		time.Sleep(time.Hour)
	case "speaks in pieces":
		for _, piece := range strings.Split("Probing EDD... ok\r\nLi|nux| versio|n 6.1", "|") {
			fmt.Print(piece)
			time.Sleep(10 * time.Millisecond) // so that they are read one by one
		}
		time.Sleep(time.Hour)
	case "speaks and ends":
		fmt.Print("Linux version 6.1")
	case "ends":
		fmt.Print("Linux versio")
		os.Exit(3)
	case "spins":
		for begin := time.Now(); time.Since(begin) < time.Hour; {
			continue
		}
	case "speaks late":
		time.Sleep(time.Second)
		fmt.Println("Linux version 6.1.0")
		time.Sleep(time.Hour)
	case "hangs":
		fmt.Print("Probing EDD (edd=off to disable)... ok")
		time.Sleep(time.Hour)
	}
}

// fake makes the test binary a QEMU that behaves as word says.
func fake(t *testing.T, word string) []string {
	t.Helper()
	t.Setenv("ACCEL_TEST", word)
	t.Setenv("ACCEL_TEST_PIDS", filepath.Join(t.TempDir(), "pids"))
	t.Setenv("GORACE", "atexit_sleep_ms=0") // it ends at once under the race detector too
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self}
}

// started are the ids of the QEMUs that the test has started, all of which must
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
		want  verdict
	}{
		{"speaks", unlimited, verdict{Works: true}},
		{"speaks in pieces", unlimited, verdict{Works: true}},
		{"speaks and ends", unlimited, verdict{Works: true}},
		{"ends", unlimited, verdict{Trouble: "QEMU ended with status 3"}},
		{"hangs", limits{hangLimit, 200 * time.Millisecond}, verdict{Trouble: "no kernel line within 200ms"}},
		{"spins", limits{300 * time.Millisecond, hangLimit}, verdict{Trouble: "no kernel line within 300ms of processor time"}},
		// It sleeps for longer than it may use a processor.
		{"speaks late", limits{500 * time.Millisecond, hangLimit}, verdict{Works: true}},
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
			started(t) // and ended
		})
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	argv := fake(t, "hangs")
	cause := errors.New("not wanted any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	if _, err := probe(ctx, argv, unlimited); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestProbeOfAProgramThatIsMissing(t *testing.T) {
	if _, err := probe(t.Context(), []string{"/none"}, unlimited); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
