package vm

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
)

func TestStopReportsTheStageThatWorked(t *testing.T) {
	deaf := []string{"fake.agent=deaf", "fake.acpi=ignore"}
	for _, test := range []struct {
		name    string
		words   []string
		request ctl.StopRequest
		stage   string
		tried   int
	}{
		{"a guest with an agent", []string{"fake.agent"}, ctl.StopRequest{}, "agent", 1},
		{"a guest that only reacts to the power button", nil, ctl.StopRequest{}, "acpi", 2},
		{"an agent that does not shut down", []string{"fake.agent=deaf"}, ctl.StopRequest{}, "acpi", 2},
		{"a guest that ignores the power button", []string{"fake.acpi=ignore"}, ctl.StopRequest{}, "quit", 3},
		{"a monitor that ignores quit", append(deaf, "fake.quit=ignore"), ctl.StopRequest{}, "sigterm", 4},
		{"a QEMU that ignores all but SIGKILL", append(deaf, "fake.quit=ignore", "fake.term=ignore"), ctl.StopRequest{}, "sigkill", 5},
		{"by the power button only", []string{"fake.agent"}, ctl.StopRequest{Button: true}, "acpi", 1},
		{"a guest that is paused", []string{"fake.status=debug"}, ctl.StopRequest{}, "quit", 3},
		{"forced", []string{"fake.agent"}, ctl.StopRequest{Force: true}, "quit", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log []string
			v, ended := runWith(t, machine(t, test.words...), Options{AutoPorts: true, Verbose: true, Log: func(line string) { log = append(log, line) }})
			started(t, v)
			if len(test.words) > 0 && strings.HasPrefix(test.words[0], "fake.agent") {
				await(t, "agent", func() bool { return v.Status().Agent })
			}
			report, err := stopBy(t, v, withTime(v.qemu.stages(test.request, v.shutDownByAgent), test.stage))
			if err != nil || report.Stage != test.stage || len(report.Tried) != test.tried {
				t.Errorf("got %+v, %v, want stage %s of %d", report, err, test.stage, test.tried)
			}
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
			if last := log[len(log)-1]; last != "ended: "+report.String() {
				t.Errorf("the last line is %q, want the report %q", last, report)
			}
			stages := slices.DeleteFunc(log, func(line string) bool { return !strings.HasPrefix(line, "stop: ") })
			if len(stages) != test.tried || !strings.HasPrefix(stages[test.tried-1], "stop: "+test.stage+": worked") {
				t.Errorf("the stages in the log are %q", stages)
			}
			if err := v.Leftovers(); err != nil {
				t.Error(err)
			}
		})
	}
}

// stopBy stops a VM by stages.
func stopBy(t *testing.T, v *VM, stages []stage) (ctl.StopReport, error) {
	t.Helper()
	v.stop.turn.Lock()
	defer v.stop.turn.Unlock()
	return v.stopBy(t.Context(), stages)
}

// withTime returns stages with much time for the one that works, since the host may be busy, and
// little time for those before it.
func withTime(stages []stage, works string) []stage {
	for i := range stages {
		stages[i].until = time.Duration(i+1) * 10 * time.Millisecond
		if stages[i].name == works {
			stages[i].until = hangLimit
		}
	}
	return stages
}

func TestStopSharesItsTimeout(t *testing.T) {
	for _, test := range []struct {
		request ctl.StopRequest
		until   []time.Duration
	}{
		{ctl.StopRequest{}, []time.Duration{12 * time.Second, 24 * time.Second, 26 * time.Second, 28 * time.Second, 30 * time.Second}},
		{ctl.StopRequest{Timeout: 6 * time.Second},
			[]time.Duration{1500 * time.Millisecond, 3 * time.Second, 4 * time.Second, 5 * time.Second, 6 * time.Second}},
		{ctl.StopRequest{Timeout: 6 * time.Second, Force: true}, []time.Duration{2 * time.Second, 4 * time.Second, 6 * time.Second}},
	} {
		var got []time.Duration
		for _, stage := range new(qemuProcess).stages(test.request, nil) {
			got = append(got, stage.until)
		}
		if diff := cmp.Diff(test.until, got); diff != "" {
			t.Errorf("%+v: %s", test.request, diff)
		}
	}
}

// A request to a monitor that does not answer ends with the stage's time.
func TestStopWithAHangingMonitor(t *testing.T) {
	v, ended := run(t, machine(t, "fake.hang"))
	started(t, v)
	report, err := stopBy(t, v, withTime(v.qemu.stages(ctl.StopRequest{}, v.shutDownByAgent), "sigterm"))
	if err != nil || report.Stage != "sigterm" || len(report.Tried) != 4 {
		t.Errorf("got %+v, %v", report, err)
	}
	for _, attempt := range report.Tried[:3] {
		if attempt.Seconds > askLimit.Seconds() {
			t.Errorf("%s took %.1f s", attempt.Stage, attempt.Seconds)
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestForcedStopCutsAStopShort(t *testing.T) {
	v, ended := run(t, machine(t, "fake.acpi=ignore"))
	started(t, v)
	polite := make(chan ctl.StopReport, 1)
	go func() {
		report, _ := v.Stop(context.Background(), ctl.StopRequest{Timeout: 10 * hangLimit})
		polite <- report
	}()
	for v.Status().State != "stopping" {
		time.Sleep(time.Millisecond)
	}
	if _, err := v.Stop(t.Context(), ctl.StopRequest{Force: true}); err != nil {
		t.Error(err)
	}
	if report := <-polite; len(report.Tried) < 2 || report.Tried[1].Result != "cut short by a forced stop" {
		t.Errorf("the first stop reports %+v", report)
	}
	<-ended
}

func TestStopWhileStartingCancelsTheStart(t *testing.T) {
	v, ended := run(t, machine(t, "fake.mute"))
	for v.Status().QEMUPID == 0 {
		time.Sleep(time.Millisecond)
	}
	report, err := v.Stop(t.Context(), ctl.StopRequest{})
	if err != nil || report.Stage != "start canceled" {
		t.Errorf("got %+v, %v", report, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}

// Stop may be called before Run, which then does not start QEMU.
func TestStopBeforeTheStart(t *testing.T) {
	v := New(machine(t), Options{})
	reports := make(chan ctl.StopReport)
	go func() {
		report, err := v.Stop(context.Background(), ctl.StopRequest{Force: true})
		if err != nil {
			t.Error(err)
		}
		reports <- report
	}()
	for given := false; !given; time.Sleep(time.Millisecond) {
		v.stop.mu.Lock()
		given = v.stop.canceled
		v.stop.mu.Unlock()
	}
	if err := v.Run(t.Context()); err != nil {
		t.Errorf("Run: %v", err)
	}
	if report := <-reports; report.Stage != "start canceled" {
		t.Errorf("got %+v", report)
	}
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}

func TestContextEndStopsTheMachine(t *testing.T) {
	v := New(machine(t), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	started(t, v)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}
