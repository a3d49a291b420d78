package logs

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// keep creates a journal with one boot for each console of the VM demo, in a new state
// folder. end is the exit cause; "" if the owner was killed.
func keep(t *testing.T, end string, consoles ...string) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	for _, console := range consoles {
		dir, err := rundir.Of("demo").Journal(console)
		if err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(dir, journal.DefaultRetention)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Boot(); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Write([]byte("text")); err != nil {
			t.Fatal(err)
		}
		if end != "" {
			j.EndBoot(end)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfConsole(t *testing.T) {
	own := []vmconfig.Console{{Name: "log", Device: "ttyS0"}, {Name: "alpha", Device: "ttyS1"}}
	for _, test := range []struct {
		name, console string
		kept          []string
		consoles      []vmconfig.Console
		want          string // name of the expected log; "" if none
		err           error
	}{
		{"the first of the default ones", "", []string{"console", "serial"}, nil, "serial", nil},
		{"a default device", "hvc0", []string{"console", "serial"}, nil, "console", nil},
		{"a name", "console", []string{"console", "serial"}, nil, "console", nil},
		{"the first of its own", "", []string{"alpha", "log"}, own, "log", nil},
		{"a device of its own", "ttyS1", []string{"alpha", "log"}, own, "alpha", nil},
		{"one that it no longer has", "old", []string{"log", "old"}, own, "old", nil},
		{"the only one", "", []string{"zeta"}, nil, "zeta", nil},
		{"no log of this console", "ttyS1", []string{"log"}, own, "", ErrNone},
		{"no such console", "ttyS2", []string{"log"}, own, "", ErrNoConsole},
		{"no such console of a VM that was never started", "ttyS2", nil, own, "", ErrNoConsole},
		{"perhaps no such console", "ttyS2", []string{"log"}, nil, "", ErrNone},
		{"none at all", "", nil, nil, "", ErrNone},
	} {
		t.Run(test.name, func(t *testing.T) {
			keep(t, "powered off", test.kept...)
			log, err := OfConsole("demo", test.console, test.consoles)
			if log.Name != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %q, %v", log.Name, err)
			}
			if err == nil && filepath.Base(log.Dir) != test.want {
				t.Errorf("its folder is %s", log.Dir)
			}
		})
	}
}

// The logs of a VM are in the order of its vm.json, whose devices are their labels.
func TestOfMachine(t *testing.T) {
	for _, test := range []struct {
		name     string
		consoles []vmconfig.Console
		want     []string
	}{
		{"a known vm.json", []vmconfig.Console{{Name: "zeta", Device: "ttyS0"}, {Name: "console", Device: "ttyS1"}}, []string{"ttyS0", "ttyS1", "serial"}},
		{"an unknown one", nil, []string{"serial", "console", "zeta"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			keep(t, "powered off", "console", "serial", "zeta")
			all, err := OfMachine("demo", test.consoles)
			if err != nil {
				t.Fatal(err)
			}
			var labels []string
			for _, log := range all {
				labels = append(labels, log.Label())
			}
			if diff := cmp.Diff(test.want, labels); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHow(t *testing.T) {
	started := journal.Boot{Started: time.Now()}
	machine, channel := Log{Machine: "demo", Name: "serial"}, Log{Name: "serial"}
	for _, test := range []struct {
		name    string
		log     Log
		boot    journal.Boot
		running bool
		want    string
	}{
		{"recorded", machine, journal.Boot{Started: time.Now(), How: "powered off"}, false, "powered off"},
		{"recorded, owner still running", machine, journal.Boot{How: "stopped by agent"}, true, "stopped by agent"},
		{"running", machine, started, true, "running"},
		{"a VM whose owner was killed", machine, started, false, "killed"},
		{"a channel whose relay was killed", channel, started, false, "unknown (no relay ran)"},
		{"of an earlier version", machine, journal.Boot{}, false, "unknown"},
	} {
		if got := test.log.How(test.boot, test.running); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// The error for a VM that is not running contains how its last boot ended, if that is
// known.
func TestExplain(t *testing.T) {
	keep(t, "panicked: no root", "serial")
	var missing *ctl.NotRunningError
	if err := Explain(&ctl.NotRunningError{Name: "demo"}); !errors.As(err, &missing) || !errors.Is(err, ctl.ErrNotRunning) {
		t.Fatal(err)
	}
	log, err := OfConsole("demo", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := log.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		t.Fatal(err)
	}
	if want := "ended" + clock(boot.Ended, time.Now()) + ", panicked: no root"; missing.Last != want {
		t.Errorf("%q, want %q", missing.Last, want)
	}
	other := errors.New("another")
	for err, want := range map[error]string{
		&ctl.NotRunningError{Name: "other"}: `vm "other": not running (start it with microvm-run)`,
		&ctl.NotRunningError{}:              "no VM is running (start one with microvm-run)",
		&ctl.NotRunningError{Name: "dmeo"}:  `vm "dmeo": not running (did you mean demo?)`,
		other:                               "another",
	} {
		if got := Explain(err); got.Error() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 27, 16, 30, 0, 0, time.Local)
	for want, when := range map[string]time.Time{
		" 16:03":            now.Add(-27 * time.Minute),
		" 2026-11-26 23:00": now.Add(-17*time.Hour - 30*time.Minute),
		"":                  {},
	} {
		if got := clock(when, now); got != want {
			t.Errorf("%v: %q, want %q", when, got, want)
		}
	}
}
