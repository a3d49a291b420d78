package vm

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/testsupport/qemutest"
	"microvm-console/internal/vmconfig"
)

// The test binary is QEMU, or a machine's owner, when it is started as one.
func TestMain(m *testing.M) {
	switch {
	case qemutest.Called():
		qemutest.Main()
	case os.Getenv("VM_TEST_OWNER") != "":
		machine, err := vmconfig.Load(os.Getenv("VM_TEST_OWNER"))
		if err == nil {
			err = New(machine, Options{AutoPorts: true}).Run(context.Background())
		}
		panic(err)
	}
	os.Exit(m.Run())
}

// hangLimit is when a test gives up on something that should have come.
const hangLimit = 60 * time.Second

// machine is a valid machine on the stand-in for QEMU, which behaves as words
// say.
func machine(t *testing.T, words ...string) vmconfig.Machine {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", short(t))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the stand-in is this binary, and ends often
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return vmconfig.Machine{
		Name: "m", Type: "q35", Accel: "tcg", QEMU: self, MemoryMiB: 64, VCPUs: 1,
		Kernel: self, KernelParams: words,
		Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0", Port: port(t)}, {Name: "console", Device: "hvc0", Port: port(t)}},
	}
}

// short is a folder whose name leaves room for a socket's path.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// port is a port that was free a moment ago.
func port(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// run runs a machine in the background and returns the channel of Run's error.
// The test does not end before the machine has.
func run(t *testing.T, m vmconfig.Machine) (*VM, <-chan error) {
	t.Helper()
	return runWith(t, m, Options{AutoPorts: true})
}

func runWith(t *testing.T, m vmconfig.Machine, options Options) (*VM, <-chan error) {
	t.Helper()
	v := New(m, options)
	ended := make(chan error, 1)
	go func() { ended <- v.Run(t.Context()) }()
	t.Cleanup(func() { within(t, v.Finished(), "end of Run") })
	return v, ended
}

func within(t *testing.T, event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(hangLimit):
		t.Fatalf("no %s within %v", what, hangLimit)
	}
}

// started waits until a machine runs.
func started(t *testing.T, v *VM) {
	t.Helper()
	select {
	case <-v.Ready():
	case <-v.Finished():
		t.Fatal("it has ended before it ran")
	case <-time.After(hangLimit):
		t.Fatalf("no start within %v", hangLimit)
	}
}

func TestBreak(t *testing.T) {
	v, ended := run(t, machine(t))
	started(t, v)
	if err := v.Break(t.Context(), "console"); err != nil {
		t.Fatal(err)
	}
	stream, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	const want = "break on virtcon0\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(stream, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	const wrong = `console "other": is not served here (choose one of serial, console)`
	if err := v.Break(t.Context(), "other"); !errors.Is(err, ErrNoConsole) || err.Error() != wrong {
		t.Errorf("a console that is not there: %v", err)
	}
	if _, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "other"}); !errors.Is(err, ErrNoConsole) || err.Error() != wrong {
		t.Errorf("a stream that is not there: %v", err)
	}
	if _, err := v.Stop(t.Context(), ctl.StopRequest{}); err != nil {
		t.Error(err)
	}
	<-ended
}

func TestStopTellsTheStageThatWorked(t *testing.T) {
	deaf := []string{"fake.agent=deaf", "fake.acpi=ignore"}
	for _, test := range []struct {
		name    string
		words   []string
		request ctl.StopRequest
		stage   string
		tried   int
	}{
		{"a guest with an agent", []string{"fake.agent"}, ctl.StopRequest{}, "agent", 1},
		{"a guest that obeys the power button alone", nil, ctl.StopRequest{}, "acpi", 2},
		{"a guest whose agent does not do what it says", []string{"fake.agent=deaf"}, ctl.StopRequest{}, "acpi", 2},
		{"a guest that ignores the power button", []string{"fake.acpi=ignore"}, ctl.StopRequest{}, "quit", 3},
		{"a monitor that ignores quit", append(deaf, "fake.quit=ignore"), ctl.StopRequest{}, "sigterm", 4},
		{"a QEMU that ignores all but SIGKILL", append(deaf, "fake.quit=ignore", "fake.term=ignore"), ctl.StopRequest{}, "sigkill", 5},
		{"by the power button alone", []string{"fake.agent"}, ctl.StopRequest{Button: true}, "acpi", 1},
		{"by force", []string{"fake.agent"}, ctl.StopRequest{Force: true}, "quit", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var told []string
			v, ended := runWith(t, machine(t, test.words...), Options{AutoPorts: true, Log: func(line string) { told = append(told, line) }})
			started(t, v)
			if len(test.words) > 0 && strings.HasPrefix(test.words[0], "fake.agent") {
				await(t, "agent", func() bool { return v.Status().Agent })
			}
			report, err := v.stopBy(t.Context(), patient(v.qemu.stages(test.request, v.shutDownByAgent), test.stage))
			if err != nil || report.Stage != test.stage || len(report.Tried) != test.tried {
				t.Errorf("got %+v, %v, want stage %s of %d", report, err, test.stage, test.tried)
			}
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
			if last := told[len(told)-1]; !strings.HasPrefix(last, "ended: stopped") {
				t.Errorf("it was told %q", last)
			}
			if err := v.Leftovers(); err != nil {
				t.Error(err)
			}
		})
	}
}

// patient gives the stage that will work all the time it needs on a busy
// machine, and the ones before it next to none.
func patient(stages []stage, works string) []stage {
	for i := range stages {
		stages[i].until = time.Duration(i+1) * 10 * time.Millisecond
		if stages[i].name == works {
			stages[i].until = hangLimit
		}
	}
	return stages
}

func TestStopSharesItsTime(t *testing.T) {
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

// A QEMU whose monitor does not answer takes no more than its stage's time.
func TestStopOfAMonitorThatHangs(t *testing.T) {
	v, ended := run(t, machine(t, "fake.hang"))
	started(t, v)
	report, err := v.stopBy(t.Context(), patient(v.qemu.stages(ctl.StopRequest{}, v.shutDownByAgent), "sigterm"))
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

func TestForcedStopCutsAPoliteOneShort(t *testing.T) {
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
		t.Errorf("the polite stop says %+v", report)
	}
	<-ended
}

func TestStopWhileStartingCancelsTheStart(t *testing.T) {
	v, ended := run(t, machine(t, "fake.mute"))
	for v.Status().QEMUPID == 0 {
		time.Sleep(time.Millisecond)
	}
	report, err := v.Stop(t.Context(), ctl.StopRequest{})
	if err != nil || report.Stage != "start cancelled" {
		t.Errorf("got %+v, %v", report, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}

// A stop may come before Run does: the start is over before it begins.
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
		given = v.stop.cancelled
		v.stop.mu.Unlock()
	}
	if err := v.Run(t.Context()); err != nil {
		t.Errorf("Run: %v", err)
	}
	if report := <-reports; report.Stage != "start cancelled" {
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

func TestFailedStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenPort := taken.Addr().(*net.TCPAddr).Port
	for _, test := range []struct {
		name   string
		change func(*vmconfig.Machine)
		want   []string
	}{
		{"QEMU refuses its arguments", func(m *vmconfig.Machine) { m.KernelParams = []string{"fake.exit=1"} },
			[]string{"QEMU ended with status 1 at its start", "fake: told to end"}},
		{"a port is taken", func(m *vmconfig.Machine) { m.Consoles[1].Port = takenPort },
			[]string{`console "console": listen 127.0.0.1:` + strconv.Itoa(takenPort) + ": address already in use (by pid " + strconv.Itoa(os.Getpid()), "--auto-ports"}},
		{"QEMU is missing", func(m *vmconfig.Machine) { m.QEMU = "/nonexistent/qemu" },
			[]string{"start /nonexistent/qemu", unix.ENOENT.Error()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := machine(t)
			test.change(&m)
			v := New(m, Options{})
			err := v.Run(t.Context())
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if _, err := os.Lstat(rundir.Of("m").Path()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is left: %v", err)
			}
		})
	}
}

// A port is left behind where this process listens on it; somebody else, who took it
// once the machine had ended, is none of it.
func TestLeftoversKnowWhosePortItIs(t *testing.T) {
	m := machine(t)
	v, ended := run(t, m)
	<-v.Ready()
	if _, err := v.Stop(t.Context(), ctl.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + strconv.Itoa(m.Consoles[0].Port)
	ours, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Leftovers(); err == nil || !strings.Contains(err.Error(), "left behind: listen "+address) {
		t.Errorf("our own listener: %v", err)
	}
	file, err := ours.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "1000")
	other.ExtraFiles = []*os.File{file}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		other.Process.Kill()
		other.Wait()
	})
	file.Close()
	ours.Close()
	if err := v.Leftovers(); err != nil {
		t.Errorf("somebody else's listener: %v", err)
	}
}

func TestAutoPortsReplacesATakenPort(t *testing.T) {
	m := machine(t)
	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Consoles[0].Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	v, _ := run(t, m)
	started(t, v)
	consoles := v.Status().Consoles
	if consoles[0].Port == m.Consoles[0].Port || consoles[1].Port != m.Consoles[1].Port {
		t.Errorf("ports %+v of %+v", consoles, m.Consoles)
	}
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
}

func TestSecondStartSaysWhoRuns(t *testing.T) {
	m := machine(t)
	v, ended := run(t, m)
	started(t, v)
	err := New(m, Options{}).Run(t.Context())
	if !errors.Is(err, rundir.ErrLocked) || !strings.Contains(err.Error(), "by pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("the second start says %v", err)
	}
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
	if err := <-ended; err != nil {
		t.Errorf("the first one: %v", err)
	}
}

func TestQEMUDiesWithItsOwner(t *testing.T) {
	dir := short(t)
	self, _ := os.Executable()
	path := filepath.Join(dir, "vm.json")
	text := `{"name": "m", "accel": "tcg", "qemu": "` + self + `", "kernel": "` + self + `",
		"consoles": [{"name": "serial", "device": "ttyS0", "port": ` + strconv.Itoa(port(t)) + `}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", dir)
	owner := exec.Command(self)
	owner.Env = append(os.Environ(), "VM_TEST_OWNER="+path)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer owner.Process.Kill()
	_, status, err := ctl.Find(t.Context(), "m")
	for err == nil && status.State == state.Starting {
		_, status, err = ctl.Find(t.Context(), "m")
	}
	if err != nil {
		t.Fatal(err)
	}
	owner.Process.Kill()
	owner.Wait()
	for deadline := time.Now().Add(hangLimit); alive(status.QEMUPID); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("QEMU, pid %d, outlives its owner", status.QEMUPID)
		}
	}
	// What the owner left does not stand in the way of the next start.
	m, err := vmconfig.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	v, ended := run(t, m)
	started(t, v)
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// alive tells whether a process runs; one that has ended and waits for its
// parent does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
