package kevent

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCorpus measures the scanner with the logs of a folder: each has a header whose first
// line is "TITLE: …", or empty if the log has no crash. KEVENT_CORPUS names the folder, and
// KEVENT_PART is the part of the files by their numbers: "even", "odd", "4n" or "4n+2".
func TestCorpus(t *testing.T) {
	folder := os.Getenv("KEVENT_CORPUS")
	if folder == "" {
		t.Skip("KEVENT_CORPUS names no folder with logs")
	}
	part := map[string][2]int{"even": {2, 0}, "odd": {2, 1}, "4n": {4, 0}, "4n+2": {4, 2}}[os.Getenv("KEVENT_PART")]
	if part[0] == 0 {
		t.Fatal("KEVENT_PART names no part of the files")
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	var crashes, found, clean, falsely, kinds, functions, named int
	for _, file := range files {
		number, err := strconv.Atoi(filepath.Base(file))
		if err != nil || number%part[0] != part[1] {
			continue
		}
		title, log := corpusFile(t, file)
		if leftOut.MatchString(title) {
			continue
		}
		events := slices.DeleteFunc(scanPieces(log, len(log)), func(e Event) bool { return e.Kind == OOM }) // no crash, by these titles
		if title == "" {
			clean++
			if len(events) > 0 {
				falsely++
				t.Logf("%d: FALSE %q", number, events[0].Title)
			}
			continue
		}
		crashes++
		if len(events) == 0 {
			t.Logf("%d: MISSED %s", number, title)
			continue
		}
		found++
		first := events[0]
		if kind := kindOf(title); kind == first.Kind {
			kinds++
		} else {
			t.Logf("%d: KIND %s, want %s: %s (%q)", number, first.Kind, kind, title, first.Title)
		}
		if m := functionOf.FindStringSubmatch(title); m != nil && m[1] != "corrupted" {
			named++
			if m[1] == first.Function {
				functions++
			} else {
				t.Logf("%d: FUNCTION %s: %s (%q)", number, first.Function, title, first.Title)
			}
		}
	}
	t.Logf("found %d of %d, false %d of %d, kind %d of %d, function %d of %d", found, crashes, falsely, clean, kinds, crashes, functions, named)
}

var (
	leftOut    = regexp.MustCompile(`^(?:SYZ|trusty|go runtime|VFS|unregister_netdevice)`)
	functionOf = regexp.MustCompile(`.* in ([\w.]+)`)
)

// corpusFile returns the title and the log of a file.
func corpusFile(t *testing.T, file string) (title string, log []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	header, log, _ := bytes.Cut(data, []byte("\n\n"))
	if data[0] == '\n' {
		header, log = nil, data[1:]
	}
	for line := range strings.Lines(string(header)) {
		if rest, ok := strings.CutPrefix(line, "TITLE:"); ok {
			title = strings.TrimSpace(rest)
		}
	}
	log, _, _ = bytes.Cut(log, []byte("\nREPORT:\n"))
	return title, log
}

// kindOf returns the kind that follows from a title.
func kindOf(title string) Kind {
	for _, row := range []struct {
		pattern string
		kind    Kind
	}{
		{`^kernel (?:panic|stack overflow)`, Panic},
		{`^KASAN: `, KASAN}, {`^KMSAN: `, KMSAN}, {`^KCSAN: `, KCSAN}, {`^KFENCE: `, KFENCE}, {`^UBSAN: `, UBSAN},
		{`rcu detected stall`, RCUStall}, {`^INFO: task (?:hung|can't die)`, HungTask},
		{`soft lockup|spinlock lockup|hard LOCKUP`, Lockup}, {`^BUG: workqueue`, Workqueue},
		{`^BUG: (?:sleeping function|scheduling while atomic)`, AtomicSleep}, {`^memory leak`, Kmemleak},
		{`refcount bug`, Refcount}, {`^BUG: corrupted list`, ListCorruption},
		{`possible deadlock|possible circular|inconsistent lock|bad unlock|held lock freed|suspicious RCU|nested lock|still has locks|lock held|non-static key|locking bug|MAX_\w+ too low|invalid wait context`, Lockdep},
		{`^(?:stack segment fault|int3) in |^general protection fault|^BUG: unable to handle|stack guard page|^divide error|^PANIC: |^Unhandled fault|^Internal error|^Alignment trap|^invalid opcode|NULL pointer`, Oops},
		{`^WARNING`, Warning}, {`^kernel BUG|^BUG`, Bug},
	} {
		if regexp.MustCompile(row.pattern).MatchString(title) {
			return row.kind
		}
	}
	return Bug
}
