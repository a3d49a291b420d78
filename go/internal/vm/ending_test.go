package vm

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// how is recorded; the error, or the line of the log, also says why.
func TestEnd(t *testing.T) {
	clean := &exitError{}
	byACPI := ctl.StopReport{Stage: "acpi", Tried: []ctl.Attempt{{Stage: "agent", Result: "no answer"}, {Stage: "acpi", Result: "worked"}}}
	byKill := ctl.StopReport{Stage: "sigkill", Tried: []ctl.Attempt{{Stage: "agent", Result: "no answer"}, {Stage: "sigkill", Result: "worked"}}}
	for _, test := range []struct {
		name string
		end  end
		how  string
		text string // the error, or the line if there is none
		fail bool
	}{
		{"a power-off", end{exit: clean, last: guest.Shutdown{Guest: true, Reason: "guest-shutdown"}}, "powered off", "powered off", false},
		{"a restart with -no-reboot", end{exit: clean, last: guest.Shutdown{Guest: true, Reason: "guest-reset"}},
			"restarted, and QEMU ended (-no-reboot)", "restarted, and QEMU ended (-no-reboot)", false},
		{"a stop", end{exit: clean, stopped: true, report: byACPI, last: guest.Shutdown{Guest: true}},
			"stopped by acpi", "shut down by the power button in 0.0 s", false},
		{"a stop by SIGKILL", end{exit: &exitError{exit: 128 + 9}, stopped: true, report: byKill},
			"stopped by sigkill", "stopped by SIGKILL in 0.0 s (agent: no answer)", false},
		{"a stop that failed", end{exit: &exitError{exit: 128 + 9}, stopped: true}, "stopped", "stopped", false},
		{"a signal to QEMU", end{exit: clean, last: guest.Shutdown{Reason: "host-signal"}},
			"QEMU was ended (host-signal)", "QEMU was ended (host-signal)", false},
		{"quit in the monitor", end{exit: clean, last: guest.Shutdown{Reason: "host-qmp-quit"}}, "quit in the monitor", "quit in the monitor", false},
		{"no event", end{exit: clean}, "QEMU was ended (status 0)", "QEMU was ended (status 0)", false},
		{"a panic", end{exit: clean, cause: &guest.Error{Cause: guest.Panicked, Message: "Kernel panic - not syncing: \x1b[2J"}},
			`panicked: Kernel panic - not syncing: \x1b[2J`, "guest panicked: Kernel panic - not syncing: \x1b[2J", true},
		{"a restart loop", end{exit: clean, cause: &guest.Error{Cause: guest.Looping, Message: "restarted 5 times in a minute", Lines: []string{"x"}}},
			"restarted 5 times in a minute", "guest restarted 5 times in a minute without becoming ready (its output may show why)", true},
		{"a panic during a stop", end{exit: clean, stopped: true, report: byACPI, cause: &guest.Error{Cause: guest.Panicked, Message: "x"}},
			"panicked: x", "guest panicked: x", true},
		{"an error of QEMU", end{exit: &exitError{exit: 1, words: ": no memory"}}, "QEMU ended with status 1", "QEMU ended with status 1: no memory", true},
		{"a crash of QEMU", end{exit: &exitError{exit: 128 + int(unix.SIGSEGV)}}, "QEMU was killed by SIGSEGV", "QEMU was killed by SIGSEGV", true},
		{"a failed start", end{start: &exitError{exit: 1, atStart: true}}, "QEMU ended with status 1 at its start", "QEMU ended with status 1 at its start", true},
		{"a missing QEMU", end{start: unix.ENOENT}, "not started", unix.ENOENT.Error(), true},
		{"a canceled start", end{start: errAbandoned}, "not started", "stopped before the VM had started", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, err := test.end.line(), test.end.err()
			if err != nil {
				text = err.Error()
			}
			if how := test.end.how(); how != test.how || text != test.text || (err != nil) != test.fail {
				t.Errorf("got %q, %q, %v, want %q, %q", how, text, err, test.how, test.text)
			}
		})
	}
}

// lastBoot returns the last boot in the journal of a console of the VM "m".
func lastBoot(t *testing.T, console string) journal.Boot {
	t.Helper()
	dir, err := rundir.Of("m").Journal(console)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		t.Fatal(err)
	}
	return boot
}

// The journals and the status record how the VM ended, the journals its restarts too.
func TestEndIsRecorded(t *testing.T) {
	for _, test := range []struct {
		name     string
		words    []string
		stop     *ctl.StopRequest
		how      string
		restarts int
	}{
		{"stopped by the agent", []string{"fake.agent"}, &ctl.StopRequest{}, "stopped by agent", 0},
		{"stopped by force", nil, &ctl.StopRequest{Force: true}, "stopped by quit", 0},
		{"panicked", []string{"fake.print=" + printed(t, bootText+panicText), "fake.reset"}, nil, "panicked: Kernel panic - not syncing: no root", 1},
		{"restarts again and again", []string{"fake.loop=" + printed(t, bootText)}, nil, "restarted 5 times in a minute", 5},
		{"killed", []string{"fake.die=9"}, nil, "QEMU was killed by SIGKILL", 0},
		{"does not start", []string{"fake.exit=3"}, nil, "QEMU ended with status 3 at its start", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ended := run(t, machine(t, test.words...))
			if test.stop != nil {
				started(t, v)
				if test.words != nil {
					await(t, "agent", func() bool { return v.Status().Agent })
				}
				if _, err := v.Stop(t.Context(), *test.stop); err != nil {
					t.Error(err)
				}
			}
			<-ended
			for _, console := range []string{"serial", "console"} {
				boot := lastBoot(t, console)
				if boot.How != test.how || boot.Ended.IsZero() || len(boot.Restarts) != test.restarts {
					t.Errorf("%s: recorded %+v, want %q and %d restarts", console, boot, test.how, test.restarts)
				}
			}
			if got := v.Status().Ended; got != test.how {
				t.Errorf("the status says %q, want %q", got, test.how)
			}
		})
	}
}

// state.json says how the VM has ended while clients still read its last output.
func TestEndIsInTheStateFile(t *testing.T) {
	text := strings.Repeat(bootText, 20_000)
	m := machine(t, "fake.print="+printed(t, text))
	v, ended := run(t, m)
	started(t, v)
	await(t, "print", func() bool { return v.Tails(1)[0].Bytes >= int64(len(text)) })
	stream, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "serial"}) // not read, so that it delays the end of Run
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Stop(t.Context(), ctl.StopRequest{Force: true}); err != nil {
		t.Error(err)
	}
	<-v.ended
	var shown state.Machine
	state, err := os.ReadFile(rundir.Of("m").State())
	if err == nil {
		err = json.Unmarshal(state, &shown)
	}
	if err != nil || shown.Ended != "stopped by quit" {
		t.Errorf("state.json says %q, %v", shown.Ended, err)
	}
	stream.Close()
	<-ended
}
