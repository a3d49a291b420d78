package kevent

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPrefixes checks that a log has the same events whatever syslog, journalctl, a time format
// of dmesg or a CI service prints before each line.
func TestPrefixes(t *testing.T) {
	files, err := filepath.Glob("testdata/logs/*.log")
	if err != nil {
		t.Fatal(err)
	}
	stamped := regexp.MustCompile(`(?m)^\[ *[0-9]+\.[0-9]{6}\] `)
	tested := 0
	when := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		log := string(data)
		if n := strings.Count(log, "\n"); len(stamped.FindAllString(log, -1)) < n || strings.Contains(log, "Linux version") {
			continue // lines of several callers, or of programs
		}
		if strings.Contains(file, "phone") {
			continue // it prints more than the time
		}
		tested++
		want := kindsAndFunctions(log)
		for name, prefix := range map[string]string{
			"dmesg --raw":                   "<4>$0",
			"dmesg --decode":                "kern  :warn  : $0",
			"dmesg --decode --ctime":        when.Format("kern  :warn  : [Mon Jan _2 15:04:05 2006] "),
			"dmesg --show-delta, timed":     "[   12.345678 <    0.003000>] ",
			"dmesg --time-format delta":     "[<    0.003000>] ",
			"journalctl -o short-monotonic": "[   12.345678] host kernel: ",
			"journalctl -o short-delta":     "[   12.345678 <    0.003000 >] host kernel: ",
			"journalctl -o short-full":      when.Format("Mon 2006-01-02 15:04:05 MST host kernel: "),
			"journalctl -o short-unix":      "1736417473.020999 host kernel: ",
			"a colored time":                "\x1b[32m[   12.345678]\x1b[0m ",
			"/dev/kmsg":                     "4,106,1020999,-;",
			"dmesg --ctime":                 when.Format("[Mon Jan _2 15:04:05 2006] "),
			"dmesg --reltime":               when.Format("[Jan02 15:04] "),
			"dmesg --show-delta":            "[  +0.000012] ",
			"dmesg --time-format iso":       when.Format("2006-01-02T15:04:05,000000-07:00 "),
			"dmesg --notime":                "",
			"journalctl":                    when.Format("Jan 02 15:04:05 host kernel: "),
			"journalctl -o short-iso":       when.Format("2006-01-02T15:04:05-0700 host kernel: "),
			"journalctl -o short-precise":   when.Format("Jan 02 15:04:05.000000 host kernel: "),
			"a telephone with the task":     "$0[2:    kworker/2:1: 1608] ",
			"a telephone with the process":  "$0[pid:10974,cpu1,grep]",
			"a telephone with the date":     when.Format("[   12.345678 / 01-02 15:04:05.000][1] "),
			"a telephone with processor":    "$0 (0)[123:swapper/0]",
			"syslog without a host":         when.Format("Jan _2 15:04:05 kernel: "),
			"syslog of OpenWrt":             when.Format("Mon Jan _2 15:04:05 2006 kern.alert kernel: "),
			"syslog":                        when.Format("Jan _2 15:04:05 host kernel: $0"),
			"the log of a job, with times":  when.Format("2006-01-02T15:04:05.0000000Z $0"),
		} {
			t.Run(fmt.Sprintf("%s/%s", filepath.Base(file), name), func(t *testing.T) {
				if diff := cmp.Diff(want, kindsAndFunctions(stamped.ReplaceAllString(log, prefix))); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	if tested < 10 {
		t.Errorf("%d logs, want at least 10", tested)
	}
}

// kindsAndFunctions returns the kind and the function of each event of a log.
func kindsAndFunctions(log string) (all []string) {
	for _, e := range scanPieces([]byte(log), len(log)) {
		all = append(all, fmt.Sprintf("%s %s", e.Kind, e.Function))
	}
	return all
}

func TestHasKernel(t *testing.T) {
	for line, want := range map[string]bool{
		"[    0.000000] usb 1-1: new device":                            true,
		"[    T1] usb 1-1: new device":                                  true,
		"Linux version 6.1":                                             true,
		"Kernel panic - not syncing: no root":                           true,
		"Jan 02 15:04:05 host kernel: usb 1-1: new device":              true,
		"[Fri Jan  2 15:04:05 2026] usb 1-1: new device":                true,
		"2026-01-02T15:04:05,000000+00:00 usb 1-1: new device":          true,
		"6,106,1020999,-;usb 1-1: new device":                           true,
		"":                                                              false,
		"qemu-system-x86_64: could not load kernel":                     false,
		"2026-01-02T15:04:05.123456Z qemu-system-x86_64: no kernel":     false,
		"2026/01/02 15:04:05 no kernel":                                 false,
		"2026-01-02 15:04:05,123 INFO no kernel":                        false,
		"SeaBIOS (version 1.16.2)":                                      false,
		"BUG: a program's line, without a trace":                        false,
		`{"pri": 6, "time": 0.000000, "msg": "Linux version 6.1"}`:      false,
		"\x7f\xffLinux kernel x86 boot executable bzImage, version 6.1": false,
	} {
		s := NewScanner(0)
		s.Feed([]byte(line))
		s.Close()
		if got := s.HasKernel(); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// TestHeadlines checks which lines begin a report: a program may print lines that are alike.
func TestHeadlines(t *testing.T) {
	const linux = "[    0.000000] Linux version 6.12.9\n"
	const trace = "[   12.000002] Call Trace:\n[   12.000003]  do_something+0x12/0x34\n"
	untimed := regexp.MustCompile(`(?m)^\[[^]]*\] `).ReplaceAllString(trace, "")
	for _, test := range []struct{ name, log, want string }{
		{"a BUG of the kernel without a trace", "[   12.000001] BUG: something is wrong\n", "bug "},
		{"a BUG of a program", "BUG: something is wrong\n", ""},
		{"a BUG without a time, with a trace", "BUG: something is wrong\n" + untimed, "bug do_something"},
		{"a BUG of a program among timed lines", linux + "BUG: something is wrong\n" + trace, ""},
		{"a panic printed by a program", linux + "Kernel panic - not syncing: test\n", ""},
		{
			"a panic of a kernel without times, after a program's number", "Linux version 6.12.9\npython [3.11]\nKernel panic - not syncing: test\n",
			"panic ",
		},
		{"leaks that are read among timed lines", linux + "unreferenced object 0xffff88810b33a400 (size 96):\n  backtrace:\n", "kmemleak "},
		{"a kernel's message with WARNING", "[   12.000001] WARNING: this option is deprecated\n", ""},
		{"an unknown WARNING with a trace", "[   12.000001] WARNING: something is odd\n" + trace, "warning do_something"},
		{
			"a message long before a trace",
			"[   12.000001] WARNING: this option is deprecated\n" + strings.Repeat("[   12.000001] eth0: link up\n", 20) + trace, "",
		},
		{"UBSAN in a program's line", "UBSAN: the program is compiled with it\n", ""},
		{"KASAN in a program's line", "BUG: KASAN: is enabled in this configuration\n", ""},
		{"leaks that kmemleak counts", "[   12.000001] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n", "kmemleak "},
		{"a warning without a time, cut by its panic", "WARNING: something is odd\nKernel panic - not syncing: panic_on_warn set ...\n" + untimed, "warning do_something,panic do_something"},
		{"a panic about no function", "[   12.000001] Kernel panic - not syncing: hung_task: blocked tasks\n[   12.000002]  panic+0x1/0x2\n[   12.000003]  watchdog+0x1/0x2\n[   12.000004]  kthread+0x1/0x2\n", "panic "},
		{"a panic after a shell's prompt", "root@guest:~# Kernel panic - not syncing: test\n", "panic "},
		{"a panic after a login", "guest login: Kernel panic - not syncing: test\n", "panic "},
		{"a BUG after a program's line without an end", strings.Repeat("x", 200) + "[   12.000001] BUG: unable to handle page fault for address: 0\n", "oops "},
		{"a fault of a program", "[   12.000001] traps: sh[9] general protection fault ip:1 sp:2 error:0 in libc.so.6[1000+1000]\n", ""},
		{"a fault of a program, by an old kernel", "[   12.000001] general protection fault ip:1 sp:2 error:0 in libc.so.6[1000+1000]\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(kindsAndFunctions(test.log), ","); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestReturns checks that a "\r" ends a line, whatever the pieces of the output, and that the
// offsets count it.
func TestReturns(t *testing.T) {
	const before, line, after = "\r\n 10%\r 20%\r", "[   12.000001] BUG: something is wrong\r\r\n", "\r\nnext\rline\r"
	log := []byte(before + line + after)
	for size := 1; size <= len(log); size++ {
		events := scanPieces(log, size)
		if len(events) != 1 || events[0].Begin != int64(len(before)) || events[0].End != int64(len(before+line)) {
			t.Fatalf("in pieces of %d bytes: %+v, want one from %d to %d", size, events, len(before), len(before+line))
		}
	}
}

// TestEndlessReport checks that a report whose headlines continue it ends too.
func TestEndlessReport(t *testing.T) {
	log := []byte(strings.Repeat("[   12.000001] INFO: rcu_sched detected stalls on CPUs/tasks: in f+0x1/0x2\n", 3*maxLines))
	if events := scanPieces(log, len(log)); len(events) < 2 {
		t.Errorf("%d events", len(events))
	}
}
