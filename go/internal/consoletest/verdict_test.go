package consoletest

import (
	"testing"

	"microvm-console/internal/journal"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vmconfig"
)

// What is missing on a console reaches the verdict, with its size and its cause.
func TestObserver(t *testing.T) {
	t.Parallel()
	machine := vmconfig.Machine{Consoles: []vmconfig.Console{{Device: "ttyS0"}, {Device: "hvc0"}}}
	judge := NewJudge(machine, verdict.Rules{})
	observer := Observer(judge, &Restarts{})
	observer.Printed(1, []byte("one\n"))
	observer.Missing(1, &journal.GapError{From: 4, To: 10})
	observer.Missing(1, &journal.LossError{Gap: journal.Gap{Offset: 10, Cause: "full"}})
	result := judge.Result()
	want := []verdict.Gap{{Console: "hvc0", Offset: 10, Bytes: 6, Cause: "no longer kept"}, {Console: "hvc0", Offset: 10, Bytes: -1, Cause: "full"}}
	if result.Verdict != verdict.Unknown || len(result.Gaps) != 2 || result.Gaps[0] != want[0] || result.Gaps[1] != want[1] {
		t.Errorf("got %+v", result)
	}
}
