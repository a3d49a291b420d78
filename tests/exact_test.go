package tests

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

var lines = flag.Int("lines", 50_000, "how many lines TestExact has the guest print on each console")

// What stands before and behind the numbered lines. The guest computes it: the
// echo of the command line has neither.
const (
	linesBegin = "begin-2961\r\n"
	linesEnd   = "end-2961\r\n"
)

// The guest prints numbered lines on both consoles at once. Nobody is attached
// for the first half of them; then one client of each kind is. Missing 0,
// repeated 0, in order: in the journal's files and at each client.
func TestExact(t *testing.T) {
	t.Parallel()
	dir := private(t)
	vm := start(t, program(t, "microvm-run"), "--auto-ports")
	vm.expect(`console  hvc0   tcp localhost:\d+`, 1)
	shells(t, dir)
	printing := consoles(t, dir)
	begin := time.Now()
	for _, console := range printing {
		request(t, dir, http.MethodPost, "/input?console="+console.Name, numberedLines()).Body.Close()
	}
	clients := attachHalfWay(t, dir, printing)
	for place, console := range printing {
		for _, client := range clients[place] {
			client.await(t, console, limit())
		}
		t.Logf("%s: %d lines, the last one seen after %.1f s", console.Device, *lines, time.Since(begin).Seconds())
	}
	after := consoles(t, dir)
	must(t, root, program(t, "microvm-shutdown"))
	if code := vm.status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
	for place, console := range after {
		if !console.Relay.Exact || len(console.Relay.Gaps) > 0 {
			t.Errorf("%s: %+v", console.Device, console)
		}
		journal := console.journal(t)
		count(t, console.Device+", the journal", journal)
		for _, client := range clients[place] {
			count(t, console.Device+", "+client.kind, client.got())
			client.compare(t, console, journal)
		}
	}
}

// limit is when the lines have to be there.
func limit() time.Duration { return waitLimit + time.Duration(*lines)*time.Millisecond }

// shells logs in on both consoles, keeps the kernel from printing there, and
// leaves the shells to themselves.
func shells(t *testing.T, dir string) {
	t.Helper()
	for _, console := range consoles(t, dir) {
		terminal := shell(t, console.Relay.Socket)
		terminal.run.Process.Kill()
		terminal.status() // its end
	}
	alone(t, dir)
}

// shell logs in at a console's socket and keeps the kernel from printing there.
func shell(t *testing.T, socket string) *session {
	t.Helper()
	terminal := start(t, "nc.openbsd", "-U", socket)
	login(terminal)
	terminal.send("dmesg -n 1; echo Q-$((6*7))\n")
	terminal.expect(`Q-42\r?\n.*# `, 1)
	return terminal
}

// numberedLines has a guest's shell print them, and its kernel be silent: on a busy
// machine it tells of slow timers and clocks, on both consoles, amid the lines.
func numberedLines() string {
	return fmt.Sprintf("echo 1 >/proc/sys/kernel/printk; echo begin-$((63*47)); seq 1 %d; echo end-$((63*47))\n", *lines)
}

// attachHalfWay attaches a client of each kind to each console once half of its
// lines are printed. Nobody was there before.
func attachHalfWay(t *testing.T, dir string, before []console) [][]*client {
	t.Helper()
	programs := []string{program(t, "connect-serial"), program(t, "connect-console")}
	clients := make([][]*client, len(before))
	for late := time.Now().Add(limit()); clients[0] == nil || clients[1] == nil; time.Sleep(10 * time.Millisecond) {
		for place, now := range consoles(t, dir) {
			half := before[place].Relay.End + linesBytes(*lines/2)
			if clients[place] != nil || now.Relay.End < half {
				continue
			}
			if there := now.Relay.Clients; len(there) > 0 {
				t.Errorf("%s: %v are attached", now.Device, there)
			}
			printed := 100 * (now.Relay.End - before[place].Relay.End) / linesBytes(*lines)
			t.Logf("%s: %d %% were printed when the clients came", now.Device, printed)
			clients[place] = oneOfEach(t, dir, now, programs[place], half, linesEnd)
		}
		if time.Now().After(late) {
			t.Fatalf("half of the lines are not printed within %v: %+v", limit(), consoles(t, dir))
		}
	}
	return clients
}

// linesBytes is how many bytes the lines from 1 to last take on a console.
func linesBytes(last int) int64 {
	bytes := int64(0)
	for first, digits := 1, int64(1); first <= last; first, digits = first*10, digits+1 {
		bytes += int64(min(last+1, first*10)-first) * (digits + 2)
	}
	return bytes
}

// count looks for the numbered lines in what somebody has got: all of them, or
// those from the first whole one on where text begins among them.
func count(t *testing.T, where string, text []byte) {
	t.Helper()
	first := 1
	_, printed, whole := bytes.Cut(text, []byte(linesBegin))
	if !whole {
		_, printed, _ = bytes.Cut(text, []byte("\n"))
		line, _, _ := bytes.Cut(printed, []byte("\r"))
		first, _ = strconv.Atoi(string(line)) // 0, where it is none, is missing
	}
	printed, _, ended := bytes.Cut(printed, []byte(linesEnd))
	if !ended {
		t.Errorf("%s: the line behind the numbered ones is missing", where)
	}
	missing, repeated, astray := tally(printed, first, *lines)
	t.Logf("%s: of the lines from %d to %d, missing %d, repeated %d, astray %d", where, first, *lines, missing, repeated, len(astray))
	if missing+repeated+len(astray) > 0 {
		t.Errorf("%s: the first ones astray: %q", where, astray[:min(len(astray), 20)])
	}
}
