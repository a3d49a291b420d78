package main

import (
	"testing"

	"microvm-console/internal/attach"
	"microvm-console/internal/journal"
	"microvm-console/internal/testsupport/programtest"
)

func TestMain(m *testing.M) {
	programtest.Main(m, app(), attach.App("connect-serial", "ttyS0", "serial"))
}

func TestTranscripts(t *testing.T) { programtest.Run(t) }

func TestManual(t *testing.T) { programtest.Manual(t, app) }

func TestRestartsOf(t *testing.T) {
	for _, test := range []struct {
		name     string
		how      string
		restarts []int64
		want     int
	}{
		{"a panic that ended QEMU", "panicked: Kernel panic", []int64{4, 10}, 1},
		{"a panic after a restart", "panicked: Kernel panic", []int64{4}, 1},
		{"out of memory", "panicked, out of memory: x", []int64{10}, 0},
		{"another end", "powered off", []int64{10}, 1},
		{"no restart", "panicked: Kernel panic", nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			boot := journal.Boot{End: 10, How: test.how}
			for _, offset := range test.restarts {
				boot.Restarts = append(boot.Restarts, journal.Restart{Offset: offset})
			}
			if got := restartsOf(boot); len(got) != test.want {
				t.Errorf("%+v", got)
			}
		})
	}
}
