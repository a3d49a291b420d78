package guest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// story is a guest to which things happen, at times of its own.
type story struct {
	t   *testing.T
	g   *Guest
	now time.Time
	end []int64 // of what each console has printed
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

// ready wants the guest to have become ready by something, after so many seconds.
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
	begin(t, Console{Device: "ttyS0"}).prints(0, loginText).ready("", 0) // there is to be no login
	// In the next boot that starts again.
	begin(t).prints(0, loginText).resets().ready("", 0)
	begin(t).agentAnswers().resets().ready("", 0)
	begin(t).prints(0, loginText).resets().after(3*time.Second).prints(0, bootText+loginText).ready("login on ttyS0", 3)
}

// What is read only after a reset, and was printed before, says nothing about this boot.
func TestLateBytes(t *testing.T) {
	s := begin(t)
	s.g.Reset([]int64{int64(len(loginText)), 0}, s.now)
	s.prints(0, loginText).ready("", 0)
	s.prints(0, loginText).ready("login on ttyS0", 0)
}

// An answer that was asked for before a restart is not this boot's.
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
		cause    Cause // "": it goes on
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
		{"five restarts that take long", func(s *story) {
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
		{"resets, and nothing is printed", func(s *story) {
			for range 60 {
				s.after(500 * time.Millisecond).resets()
			}
		}, 6, Looping},
		{"a restart behind a panic", func(s *story) { s.prints(1, panicText).resets() }, 1, Panicked},
		{"a panic behind many lines", func(s *story) { s.prints(0, strings.Repeat(bootText, 5000)+panicText).resets() }, 1, Panicked},
		{"a restart behind a panic for want of memory", func(s *story) {
			s.prints(0, "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\r\n").resets()
		}, 1, OutOfMemory},
		{"a restart that was asked for", func(s *story) {
			s.prints(0, bootText+panicText+"[    9.0] reboot: Restarting system\r\n").resets()
		}, 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			test.happens(s)
			found := s.g.CheckRestart()
			if restarts := s.g.State().Restarts; restarts != test.restarts {
				t.Errorf("%d restarts, want %d", restarts, test.restarts)
			}
			if found == nil && test.cause != "" || found != nil && found.Cause != test.cause {
				t.Errorf("found %v, want %q", found, test.cause)
			}
		})
	}
}

func TestSuspicion(t *testing.T) {
	const prefix = `ttyS0 ends with "Kernel panic - not syncing: no root", which is no proof: `
	for _, test := range []struct {
		name    string
		happens func(*story)
		later   func(*story) // while the agent is asked
		answers bool
		proven  bool
		note    string
	}{
		{"nothing", func(s *story) { s.prints(0, bootText) }, nil, false, false, ""},
		{"an agent that is silent now", func(s *story) { s.agentAnswers().prints(0, deadText) }, nil, false, true, ""},
		{"an agent that answers", func(s *story) { s.agentAnswers().prints(0, deadText) }, nil, true, false, "the guest's agent still answers"},
		{"words printed by a user", func(s *story) { s.agentAnswers().prints(0, bootText+deadText+"root@demo:~# ") }, nil, false, false, ""},
		{"no agent", func(s *story) { s.prints(0, deadText) }, nil, false, false, "no agent has answered before that would be silent now"},
		{"another console goes on", func(s *story) {
			s.agentAnswers().prints(0, deadText).after(time.Second).prints(1, "# ")
		}, nil, false, false, "another console has printed since"},
		{"another console shows the same", func(s *story) {
			s.agentAnswers().prints(0, deadText).after(time.Second).prints(1, deadText)
		}, nil, false, true, ""},
		{"a byte comes while the agent is asked", func(s *story) { s.agentAnswers().prints(0, deadText) },
			func(s *story) { s.prints(1, "# ") }, false, false, ""},
		{"a restart comes while the agent is asked", func(s *story) { s.agentAnswers().prints(0, deadText) },
			func(s *story) { s.resets() }, false, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			test.happens(s)
			suspicion := s.g.Suspect()
			if suspicion == nil {
				if test.proven || test.note != "" {
					t.Fatal("nothing is suspected")
				}
				return
			}
			if test.later != nil {
				test.later(s)
			}
			proven, note := s.g.Confirm(suspicion, test.answers)
			want := ""
			if test.note != "" {
				want = prefix + test.note + " (if the guest has panicked, end it with microvm-shutdown --force)"
			}
			if (proven != nil) != test.proven || note != want {
				t.Errorf("got %v, %q, want proven %t, %q", proven, note, test.proven, want)
			}
		})
	}
}

// What has become of a guest, as it is recorded and as an error says it.
func TestHow(t *testing.T) {
	for _, test := range []struct {
		of         *Error
		how, error string
	}{
		{&Error{Cause: Panicked, Message: "Kernel panic - not syncing: x"},
			"panicked: Kernel panic - not syncing: x", "guest panicked: Kernel panic - not syncing: x"},
		{&Error{Cause: OutOfMemory, Message: "x"}, "panicked, out of memory: x", "guest panicked, out of memory: x (give it more with memoryMiB)"},
		{&Error{Cause: Looping, Message: "restarted 5 times in a minute"}, "restarted 5 times in a minute",
			"guest restarted 5 times in a minute, and was never ready (see why in what it printed before)"},
		{&Error{Cause: Lost, Message: "x"}, "lost: x", "guest lost: x"},
	} {
		if how := test.of.How(); how != test.how || test.of.Error() != test.error {
			t.Errorf("got %q, %q, want %q, %q", how, test.of.Error(), test.how, test.error)
		}
	}
}

// The guest is lost: the error has the last lines of the first console that has printed.
func TestLost(t *testing.T) {
	if e := begin(t).prints(1, bootText).g.Lost("x"); e.Cause != Lost || e.Device != "hvc0" || e.Lines[len(e.Lines)-1] != "[    1.0] booting" {
		t.Errorf("got %+v", e)
	}
	if e := begin(t).g.Lost("x"); e.Device != "" || len(e.Lines) != 0 {
		t.Errorf("of consoles that printed nothing: %+v", e)
	}
}

// QEMU's panic device is believed, whether a console shows the kernel's words or not.
func TestReportedPanic(t *testing.T) {
	if e := begin(t).prints(0, bootText).g.ReportedPanic(); !e.Panic() || e.Message != silentPanic().Message {
		t.Errorf("without words: %+v", e)
	}
	if e := begin(t).prints(1, panicText).g.ReportedPanic(); e.Message != "Kernel panic - not syncing: no root" || e.Device != "hvc0" {
		t.Errorf("with words: %+v", e)
	}
}

// The tail of a console has its last lines, also of one that printed much.
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

// Printed is closed with the first byte of any console, and not before.
func TestPrinted(t *testing.T) {
	s := begin(t)
	s.g.Print(1, nil, 0, s.now)
	select {
	case <-s.g.Printed():
		t.Error("nothing was printed")
	default:
	}
	s.prints(1, "x").prints(0, "y")
	<-s.g.Printed()
}

// AwaitRead waits for bytes, and no longer than its limit.
func TestAwaitRead(t *testing.T) {
	s := begin(t)
	if s.g.AwaitRead([]int64{1, 0}, time.Millisecond) {
		t.Error("nothing was read")
	}
	go s.g.Print(0, []byte("x"), 1, s.now)
	if !s.g.AwaitRead([]int64{1, 0}, time.Minute) {
		t.Error("what was printed was not read")
	}
	if _, total := s.g.Tail(0, 1); total != 1 {
		t.Errorf("%d bytes were read, want 1", total)
	}
}
