package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/crash"
	"microvm-console/internal/ctl"
)

// guest is a machine whose parts fail as its fields say.
type guest struct {
	printed  string
	asked    []string // the commands of the monitor
	silent   bool     // it prints nothing at a SysRq key
	disabled string   // the SysRq keys that it does not allow
	refuses  string   // a command of the monitor
	dumping  string   // the status of a dump
	runState string
	missing  int64  // bytes before after; -1 if their number is unknown
	after    string // what serial has printed after a gap
}

// refusal is what Linux prints after a SysRq key that is not allowed.
const refusal = "sysrq: This sysrq operation is disabled.\n"

var errRefused = errors.New("refused\x1b")

func (g *guest) monitor(_ context.Context, command string, arguments, result any) error {
	g.asked = append(g.asked, command)
	answer := "{}"
	switch command {
	case g.refuses:
		return errRefused
	case "human-monitor-command":
		answer = `"RIP=1\r\nRSP=2\r\n"`
	case "query-version":
		answer = `{"qemu": {"major": 9, "minor": 8, "micro": 7}}`
	case "query-dump":
		answer = `{"status": "` + g.dumping + `", "completed": 3, "total": 5}`
		g.dumping = strings.TrimPrefix(g.dumping, "active")
		if g.dumping == "" {
			g.dumping = "completed"
		}
	case "dump-guest-memory":
		path := strings.TrimPrefix(arguments.(map[string]any)["protocol"].(string), "file:")
		if err := os.WriteFile(path, []byte("memory"), 0o400); err != nil {
			return err
		}
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal([]byte(answer), result)
}

// source returns the guest as the source of a bundle.
func (g *guest) source() crash.Source {
	if g.runState == "" {
		g.runState = crash.Running
	}
	return crash.Source{
		Name: "m", RunState: g.runState, Monitor: g.monitor, Command: "qemu -name m",
		Machine: map[string]string{"name": "m"}, Status: map[string]string{"state": "ready"},
		Consoles: []crash.Console{{Name: "serial", Device: "ttyS0", Copy: func(w io.Writer, missing func(int64)) error {
			if _, err := io.WriteString(w, g.printed); err != nil || g.missing == 0 {
				return err
			}
			missing(g.missing)
			_, err := io.WriteString(w, g.after)
			return err
		}}},
		SysRq: &crash.SysRq{
			Type: func(_ context.Context, key byte) error {
				switch {
				case g.silent:
				case strings.ContainsRune(g.disabled, rune(key)):
					g.printed += refusal
				default:
					g.printed += "sysrq: " + string(key) + "\n"
				}
				return nil
			},
			Printed: func() int64 { return int64(len(g.printed)) },
			Copy: func(w io.Writer, from int64) error {
				_, err := io.WriteString(w, g.printed[from:])
				return err
			},
			Close: func() {},
		},
	}
}

// content returns the files of a folder, by name, without the index.
func content(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := entry.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
		if entry.Name() != "index.json" {
			files[entry.Name()] = string(text)
		}
	}
	return files
}

func TestCollect(t *testing.T) {
	const boot = "Linux version 6.1\n"
	always := map[string]string{
		"qemu.txt":      "QEMU 9.8.7\n\nqemu -name m\n",
		"vm.json":       "{\n  \"name\": \"m\"\n}\n",
		"status.json":   "{\n  \"state\": \"ready\"\n}\n",
		"registers.txt": "RIP=1\nRSP=2\n",
		"serial.log":    boot,
		"events.json":   "[]\n",
	}
	const answers = "sysrq: l\nsysrq: t\nsysrq: w\nsysrq: m\n"
	const someRefused = "sysrq: l\n" + refusal + refusal + "sysrq: m\n"
	const allRefused = refusal + refusal + refusal + refusal
	for _, test := range []struct {
		name     string
		guest    guest
		request  ctl.CrashRequest
		files    map[string]string // besides or in place of always; "" removes one
		problems []string
		asked    string // a command that the monitor must have got
	}{
		{"a guest that runs", guest{}, ctl.CrashRequest{}, map[string]string{"sysrq.txt": answers, "serial.log": boot + answers}, nil, ""},
		{"a guest that is paused", guest{runState: "guest-panicked"}, ctl.CrashRequest{NMI: true}, nil, nil, ""},
		{"a guest that ignores SysRq", guest{silent: true}, ctl.CrashRequest{}, nil,
			[]string{"SysRq l: the guest does not answer (it must have SysRq enabled, and read the console)"}, ""},
		{"a guest that refuses some keys", guest{disabled: "tw"}, ctl.CrashRequest{},
			map[string]string{"sysrq.txt": someRefused, "serial.log": boot + someRefused},
			[]string{"sysrq.txt: the guest refuses the SysRq keys t, w (add sysrq_always_enabled to kernelParams)"}, ""},
		{"a guest that refuses all keys", guest{disabled: "ltwm"}, ctl.CrashRequest{}, map[string]string{"serial.log": boot + allRefused},
			[]string{"sysrq.txt: the guest refuses the SysRq keys l, t, w, m (add sysrq_always_enabled to kernelParams)"}, ""},
		{"an NMI to a guest that refuses all keys", guest{disabled: "ltwm"}, ctl.CrashRequest{NMI: true},
			map[string]string{"sysrq.txt": allRefused, "serial.log": boot + allRefused},
			[]string{"sysrq.txt: the guest refuses the SysRq keys l, t, w, m (add sysrq_always_enabled to kernelParams)"}, "inject-nmi"},
		{"with an NMI", guest{}, ctl.CrashRequest{NMI: true}, map[string]string{"sysrq.txt": answers, "serial.log": boot + answers}, nil, "inject-nmi"},
		{"with memory", guest{runState: "paused", dumping: "active"}, ctl.CrashRequest{Dump: true}, map[string]string{"memory.elf": "memory"}, nil, "query-dump"},
		{"a dump that fails", guest{runState: "paused", dumping: "failed"}, ctl.CrashRequest{Dump: true}, nil,
			[]string{"memory.elf: QEMU has written 3 of 5 bytes (check the free space on the host)"}, ""},
		{"a monitor that refuses", guest{runState: "paused", refuses: "human-monitor-command"}, ctl.CrashRequest{}, map[string]string{"registers.txt": ""},
			[]string{`registers: refused\x1b`}, ""},
		{"a monitor that does not know QEMU's version", guest{runState: "paused", refuses: "query-version"}, ctl.CrashRequest{},
			map[string]string{"qemu.txt": "qemu -name m\n"}, []string{`QEMU's version: refused\x1b`}, ""},
		{"a journal with a gap", guest{runState: "paused", missing: 7}, ctl.CrashRequest{}, nil, []string{"serial.log: 7 bytes are missing"}, ""},
		{"a journal with a gap of unknown size", guest{runState: "paused", missing: -1}, ctl.CrashRequest{}, nil, []string{"serial.log: bytes are missing"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				folder := filepath.Join(t.TempDir(), "bundle")
				g := test.guest
				g.printed, test.request.Reason = boot, "why"
				bundle, err := crash.Collect(t.Context(), g.source(), test.request, folder)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]string{}
				for _, some := range []map[string]string{always, test.files} {
					for name, text := range some {
						want[name] = text
						if text == "" {
							delete(want, name)
						}
					}
				}
				if diff := cmp.Diff(want, content(t, folder)); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(test.problems, bundle.Problems); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(strings.Join(g.asked, " "), test.asked) {
					t.Errorf("the monitor got %q, not %s", g.asked, test.asked)
				}
				checkIndex(t, folder, bundle)
			})
		})
	}
}

// checkIndex checks that the folder is private, and that its index is bundle and lists every file.
func checkIndex(t *testing.T, folder string, bundle ctl.CrashBundle) {
	t.Helper()
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index ctl.CrashBundle
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	listed, files := map[string]int64{}, map[string]int64{}
	for _, file := range index.Files {
		listed[file.Name] = file.Bytes
	}
	for name, text := range content(t, folder) {
		files[name] = int64(len(text))
	}
	if diff := cmp.Diff(files, listed); diff != "" {
		t.Error(diff)
	}
	if index.Reason != "why" || index.VM != "m" || index.Folder != "" || bundle.Folder != folder {
		t.Errorf("the index is %+v, of %+v", index, bundle)
	}
}

// A report that a gap cuts does not get the trace of what follows.
func TestEvents(t *testing.T) {
	const head = "[    0.000000] Linux version 6.1\n"
	const oops = "[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
	const other = "[    2.000000] RIP: 0010:other_open+0x10/0x20\n[    2.000001] Call Trace:\n[    2.000002]  other_read+0x1/0x2\n"
	type event struct {
		Console, Kind, Function string
		Begin, End              int
	}
	whole := event{"serial", "oops", "other_open", len(head), len(head + oops + other)}
	cut := event{"serial", "oops", "", len(head), len(head + oops)}
	for _, test := range []struct {
		name  string
		guest guest
		want  []event
	}{
		{"complete", guest{printed: head + oops + other}, []event{whole}},
		{"with a gap", guest{printed: head + oops, missing: 7, after: other}, []event{cut}},
		{"with a gap of unknown size", guest{printed: head + oops, missing: -1, after: other}, []event{cut}},
		{"an event after a gap", guest{printed: head, missing: 7, after: oops}, []event{cut}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.guest.runState = "guest-panicked"
			folder := filepath.Join(t.TempDir(), "bundle")
			if _, err := crash.Collect(t.Context(), test.guest.source(), ctl.CrashRequest{}, folder); err != nil {
				t.Fatal(err)
			}
			var events []event
			if err := json.Unmarshal([]byte(content(t, folder)["events.json"]), &events); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, events); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNothingIsLeftWithoutABundle(t *testing.T) {
	parent := t.TempDir()
	if err := os.Mkdir(filepath.Join(parent, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	g := &guest{runState: "paused"}
	for _, folder := range []string{filepath.Join(parent, "taken"), filepath.Join(parent, "absent", "bundle")} {
		if _, err := crash.Collect(t.Context(), g.source(), ctl.CrashRequest{}, folder); err == nil {
			t.Errorf("%s became a bundle", folder)
		}
	}
	if g.asked != nil {
		t.Errorf("the monitor got %q", g.asked)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
