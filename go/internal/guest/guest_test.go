package guest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// story is a guest, its clock and its history.
type story struct {
	t   *testing.T
	g   *Guest
	now time.Time
	end []int64 // length of each console's output
}

func begin(t *testing.T, consoles ...Console) *story {
	t.Helper()
	if len(consoles) == 0 {
		consoles = []Console{{Device: "ttyS0", Login: true}, {Device: "hvc0", Login: true}}
	}
	s := &story{t: t, g: New(consoles), now: time.Unix(1_000_000, 0), end: make([]int64, len(consoles))}
	s.g.Start(s.now)
	return s
}

func (s *story) after(d time.Duration) *story {
	s.now = s.now.Add(d)
	return s
}

func (s *story) prints(i int, text string) *story {
	s.end[i] += int64(len(text))
	s.g.Print(i, []byte(text), s.end[i], s.now)
	return s
}

func (s *story) resets() *story {
	s.g.Reset(s.end, s.now)
	return s
}

func (s *story) agentAnswers() *story {
	s.g.SetPort(true)
	s.g.Answered(s.g.State().Restarts)
	return s
}

// ready fails the test unless the guest is ready by something, after a number of seconds.
func (s *story) ready(by string, seconds float64) {
	s.t.Helper()
	s.g.CheckReady(s.now)
	if is := s.g.State(); is.ReadyBy != by || is.ReadySeconds != seconds {
		s.t.Errorf("ready by %q after %v s, want %q after %v s", is.ReadyBy, is.ReadySeconds, by, seconds)
	}
}

func TestReady(t *testing.T) {
	begin(t).prints(0, bootText).ready("", 0)
	begin(t).prints(0, bootText).after(2*time.Second).prints(1, loginText).ready("login on hvc0", 2)
	begin(t).after(time.Second).agentAnswers().ready("agent", 1)
	begin(t, Console{Device: "ttyS0"}).prints(0, loginText).ready("", 0) // a console without a login
	// After a restart it is not ready.
	begin(t).prints(0, loginText).resets().ready("", 0)
	begin(t).agentAnswers().resets().ready("", 0)
	begin(t).prints(0, loginText).resets().after(3*time.Second).prints(0, bootText+loginText).ready("login on ttyS0", 3)
}

// Output that was printed before a reset and is read after it does not make the guest ready.
func TestLateBytes(t *testing.T) {
	s := begin(t)
	s.g.Reset([]int64{int64(len(loginText)), 0}, s.now)
	s.prints(0, loginText).ready("", 0)
	s.prints(0, loginText).ready("login on ttyS0", 0)
}

// An answer to a request before a restart does not count after it.
func TestLateAnswer(t *testing.T) {
	s := begin(t).prints(0, bootText)
	s.resets()
	s.g.SetPort(true)
	s.g.Answered(0)
	s.ready("", 0)
}

func TestRestarts(t *testing.T) {
	for _, test := range []struct {
		name     string
		happens  func(*story)
		restarts int
		cause    Cause // "" if the guest continues
	}{
		{"one reset", func(s *story) { s.prints(0, bootText).resets() }, 1, ""},
		{"a reset that the firmware repeats", func(s *story) {
			s.prints(0, bootText).resets().after(time.Second).resets().after(time.Second).resets()
		}, 1, ""},
		{"four restarts", func(s *story) {
			for range 4 {
				s.prints(0, bootText).after(time.Second).resets()
			}
		}, 4, ""},
		{"five restarts", func(s *story) {
			for range 5 {
				s.prints(0, bootText).after(time.Second).resets()
			}
		}, 5, Looping},
		{"five slow restarts", func(s *story) {
			for range 5 {
				s.prints(0, bootText).after(20 * time.Second).resets()
			}
		}, 5, ""},
		{"five restarts of a guest that was ready in between", func(s *story) {
			for i := range 5 {
				if i == 3 {
					s.prints(0, loginText).g.CheckReady(s.now)
				}
				s.prints(0, bootText).after(time.Second).resets()
			}
		}, 5, ""},
		{"resets without output", func(s *story) {
			for range 60 {
				s.after(500 * time.Millisecond).resets()
			}
		}, 6, Looping},
		{"a restart after a panic", func(s *story) { s.prints(1, panicText).resets() }, 1, Panicked},
		{"a panic after many lines", func(s *story) { s.prints(0, strings.Repeat(bootText, 5000)+panicText).resets() }, 1, Panicked},
		{"a restart after a panic for lack of memory", func(s *story) {
			s.prints(0, "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\r\n").resets()
		}, 1, OutOfMemory},
		{"a requested restart", func(s *story) {
			s.prints(0, bootText+panicText+"[    9.0] reboot: Restarting system\r\n").resets()
		}, 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			test.happens(s)
			found := s.g.CheckRestart(false)
			if restarts := s.g.State().Restarts; restarts != test.restarts {
				t.Errorf("%d restarts, want %d", restarts, test.restarts)
			}
			if found == nil && test.cause != "" || found != nil && found.Cause != test.cause {
				t.Errorf("found %v, want %q", found, test.cause)
			}
		})
	}
}

// With failOnReset, a restart that no console has announced in the same boot is a failure.
func TestUnannouncedRestarts(t *testing.T) {
	const announced = "[    9.0] reboot: Restarting system\r\n"
	for _, test := range []struct {
		name    string
		happens func(*story)
		cause   Cause  // "" if the guest continues
		last    string // the Error's last line
	}{
		{"an announced one", func(s *story) { s.prints(0, bootText+announced).resets().prints(0, bootText) }, "", ""},
		{"on another console", func(s *story) { s.prints(0, bootText).prints(1, announced).resets() }, "", ""},
		{"an announced one that the firmware repeats", func(s *story) {
			s.prints(0, announced).resets().after(time.Second).resets()
		}, "", ""},
		{"one that is not announced", func(s *story) { s.prints(1, bootText+"last\r\n").resets().prints(1, "next boot\r\n") }, Reset, "last"},
		{"one without output", func(s *story) { s.resets() }, Reset, ""},
		{"announced in the boot before", func(s *story) {
			s.prints(0, announced).resets().prints(0, loginText).after(time.Minute).resets()
		}, Reset, "demo login: "},
		{"announced after it", func(s *story) { s.prints(0, bootText).resets().prints(0, announced) }, Reset, "[    1.0] booting"},
		{"after output of which most is not kept", func(s *story) {
			s.prints(0, strings.Repeat(bootText, 5000)+"last\r\n").resets()
		}, Reset, "last"},
		{"where bytes are missing", func(s *story) {
			s.end[0] = 5000 // without these bytes
			s.prints(0, "last\r\n").resets()
		}, Reset, "last"},
		{"a panic", func(s *story) { s.prints(0, panicText).resets() }, Panicked, "[    1.9]  panic+0x1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			test.happens(s)
			found := s.g.CheckRestart(true)
			switch {
			case found == nil && test.cause == "":
			case found == nil || found.Cause != test.cause:
				t.Errorf("found %v, want %q", found, test.cause)
			case test.last != "" && found.Lines[len(found.Lines)-1] != test.last:
				t.Errorf("lines %q, want %q at the end", found.Lines, test.last)
			}
			if again := s.g.CheckRestart(true); again != nil && again.Cause == Reset {
				t.Errorf("found it again: %v", again)
			}
		})
	}
}

func TestSuspicion(t *testing.T) {
	const prefix = `ttyS0 ends with "Kernel panic - not syncing: no root", but `
	for _, test := range []struct {
		name      string
		happens   func(*story)
		later     func(*story) // before the agent's answer
		answers   bool
		confirmed bool
		note      string
	}{
		{"nothing", func(s *story) { s.prints(0, bootText) }, nil, false, false, ""},
		{"an agent that is silent now", func(s *story) { s.agentAnswers().prints(0, deadText) }, nil, false, true, ""},
		{"an agent that answers", func(s *story) { s.agentAnswers().prints(0, deadText) }, nil, true, false, "the guest's agent still answers"},
		{"a message printed by a user", func(s *story) { s.agentAnswers().prints(0, bootText+deadText+"root@demo:~# ") }, nil, false, false, ""},
		{"no agent", func(s *story) { s.prints(0, deadText) }, nil, false, false, "there was no agent whose silence would confirm it"},
		{"another console prints", func(s *story) {
			s.agentAnswers().prints(0, deadText).after(time.Second).prints(1, "# ")
		}, nil, false, false, "another console has printed since"},
		{"another console shows the same", func(s *story) {
			s.agentAnswers().prints(0, deadText).after(time.Second).prints(1, deadText)
		}, nil, false, true, ""},
		{"output before the agent's answer", func(s *story) { s.agentAnswers().prints(0, deadText) },
			func(s *story) { s.prints(1, "# ") }, false, false, ""},
		{"a restart before the agent's answer", func(s *story) { s.agentAnswers().prints(0, deadText) },
			func(s *story) { s.resets() }, false, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			test.happens(s)
			suspicion := s.g.Suspect()
			if suspicion == nil {
				if test.confirmed || test.note != "" {
					t.Fatal("no suspicion")
				}
				return
			}
			if test.later != nil {
				test.later(s)
			}
			confirmed, note := s.g.Confirm(suspicion, test.answers)
			want := ""
			if test.note != "" {
				want = prefix + test.note + " (if the guest has panicked, end it with microvm-shutdown --force)"
			}
			if (confirmed != nil) != test.confirmed || note != want {
				t.Errorf("got %v, %q, want confirmed %t, %q", confirmed, note, test.confirmed, want)
			}
		})
	}
}

// How returns what is recorded, Error what is printed.
func TestHow(t *testing.T) {
	for _, test := range []struct {
		of         *Error
		how, error string
	}{
		{&Error{Cause: Panicked, Message: "Kernel panic - not syncing: x"},
			"panicked: Kernel panic - not syncing: x", "guest panicked: Kernel panic - not syncing: x"},
		{&Error{Cause: OutOfMemory, Message: "x"}, "panicked, out of memory: x", "guest panicked, out of memory: x (increase memoryMiB)"},
		{&Error{Cause: Looping, Message: "restarted 5 times in a minute", Lines: []string{"x"}}, "restarted 5 times in a minute",
			"guest restarted 5 times in a minute without becoming ready (its output may show why)"},
		{&Error{Cause: Looping, Message: "restarted 5 times in a minute"}, "restarted 5 times in a minute",
			"guest restarted 5 times in a minute without becoming ready, and no console has printed anything (is memoryMiB enough, is the kernel file complete?)"},
		{&Error{Cause: Reset, Message: "restarted by itself", Lines: []string{"x"}}, "restarted by itself",
			`guest restarted by itself (a crash, such as a triple fault: no console has printed "reboot: Restarting system")`},
		{&Error{Cause: Lost, Message: "x"}, "lost: x", "guest lost: x"},
	} {
		if how := test.of.How(); how != test.how || test.of.Error() != test.error {
			t.Errorf("got %q, %q, want %q, %q", how, test.of.Error(), test.how, test.error)
		}
	}
}

// The error of a lost guest has the last lines of the first console that has printed.
func TestLost(t *testing.T) {
	if e := begin(t).prints(1, bootText).g.Lost("x"); e.Cause != Lost || e.Device != "hvc0" || e.Lines[len(e.Lines)-1] != "[    1.0] booting" {
		t.Errorf("got %+v", e)
	}
	if e := begin(t).g.Lost("x"); e.Device != "" || len(e.Lines) != 0 {
		t.Errorf("without output: %+v", e)
	}
}

// A report of QEMU's panic device counts with and without the kernel's message on a console.
func TestReportedPanic(t *testing.T) {
	if e := begin(t).prints(0, bootText).g.ReportedPanic(); !e.Panic() || e.Message != silentPanic().Message {
		t.Errorf("without the message: %+v", e)
	}
	if e := begin(t).prints(1, panicText).g.ReportedPanic(); e.Message != "Kernel panic - not syncing: no root" || e.Device != "hvc0" {
		t.Errorf("with the message: %+v", e)
	}
}

// The tail of a console has its last lines, even of a long output.
func TestTail(t *testing.T) {
	s := begin(t)
	for i := range 50_000 {
		s.prints(0, fmt.Sprintf("line %d\r\n", i))
	}
	lines, total := s.g.Tail(0, 2)
	if total != s.end[0] || len(lines) != 2 || lines[1] != "line 49999" {
		t.Errorf("%q of %d bytes, want %d", lines, total, s.end[0])
	}
}

// Printed is closed by the first byte of any console, and not before.
func TestPrinted(t *testing.T) {
	s := begin(t)
	s.g.Print(1, nil, 0, s.now)
	select {
	case <-s.g.Printed():
		t.Error("closed without output")
	default:
	}
	s.prints(1, "x").prints(0, "y")
	<-s.g.Printed()
}

// AwaitRead waits for output, but not longer than its limit.
func TestAwaitRead(t *testing.T) {
	s := begin(t)
	if s.g.AwaitRead([]int64{1, 0}, time.Millisecond) {
		t.Error("true without output")
	}
	go s.g.Print(0, []byte("x"), 1, s.now)
	if !s.g.AwaitRead([]int64{1, 0}, time.Minute) {
		t.Error("false although the output was read")
	}
	if _, total := s.g.Tail(0, 1); total != 1 {
		t.Errorf("%d bytes were read, want 1", total)
	}
}
