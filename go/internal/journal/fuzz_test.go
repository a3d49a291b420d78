package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// maxSteps limits a sequence: the fuzzer treats an input as hanging after 10 s, even if
// the host is busy.
const maxSteps = 300

// After any sequence of operations and damage, each byte is kept or in a gap.
func FuzzSequence(f *testing.F) {
	f.Add([]byte{0, 200, 2, 255, 4, 0, 0, 3, 5, 2, 6, 100, 9, 0, 2, 90, 5, 1})
	f.Add([]byte{4, 0, 2, 255, 9, 2, 2, 255, 9, 5, 0, 9, 5, 0, 8, 1, 0, 40, 6, 255})
	f.Add([]byte{2, 255, 4, 0, 11, 1, 4, 1, 11, 2, 2, 100, 10, 2, 2, 255, 10, 2, 6, 1, 2, 255, 10, 2, 10, 2, 2, 255, 9, 3}) // time passes
	f.Add([]byte{2, 255, 2, 255, 2, 255, 2, 255, 2, 255, 2, 255, 5, 9, 5, 5, 4, 0, 4, 0, 9, 4, 5, 17})
	f.Add([]byte{8, 48, 0, 48, 5, 48, 9, 48, 8, 50, 4, 50, 8, 50, 6, 48, 8, 48, 9, 214, 9, 88}) // appended to two files, one of which is empty
	f.Fuzz(func(t *testing.T, steps []byte) {
		synctest.Test(t, func(t *testing.T) {
			s, err := newSequence(t.TempDir(), false, time.Sleep)
			if err != nil {
				t.Fatal(err)
			}
			steps = steps[:min(len(steps), 2*maxSteps)]
			for ; len(steps) > 1 && s.wrong == nil; steps = steps[2:] {
				s.step(steps[0], steps[1])
			}
			if err := s.end(); err != nil {
				t.Error(err)
			}
		})
	})
}

// With files of any names, the journal opens, continues and keeps them.
func FuzzList(f *testing.F) {
	f.Add("00000000000000000000.000001.log\n00000000000000000003.000002.log\n00000000000000000001.000009.log", 3)
	f.Add("-0000000000000000001.000001.log\n9223372036854775807.000001.log\ngaps", 1)
	f.Fuzz(func(t *testing.T, names string, size int) {
		dir := t.TempDir()
		made := 0
		for _, name := range strings.Split(names, "\n") {
			if !strings.ContainsAny(name, "/\x00") && name != "lock" && os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("x"), made%max(1, size%100)), 0o600) == nil {
				made++
			}
		}
		found, _, err := list(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i := range found[:max(0, len(found)-1)] {
			if here, next := found[i], found[i+1]; here.size < 0 || here.end() > next.start || here.boot > next.boot {
				t.Errorf("%+v comes before %+v", here, next)
			}
		}
		for range 2 {
			j, err := Open(dir, Retention{Bytes: 1 << 62, Boots: 1 << 30})
			if err != nil {
				t.Fatal(err)
			}
			before, end := j.Range()
			_, err = j.Write([]byte("kept"))
			if _, boot := j.Boot(); errors.Join(err, boot) != nil {
				t.Error(err, boot)
			}
			if oldest, after := j.Range(); after != end+4 || oldest != before {
				t.Errorf("before: %d to %d, after: %d to %d", before, end, oldest, after)
			}
			reader := j.NewReader(end)
			reads(t, reader, "kept")
			if err := errors.Join(reader.Close(), j.Close()); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzGaps(f *testing.F) {
	f.Add([]byte(`{"offset":5,"bytes":7,"cause":"write: no space left on device"}`), int64(0), int64(20))
	f.Add([]byte("{\"offset\":5,\"bytes\":7,\"taken\":true}\n\n{\"offset\":12,\"bytes\":1,\"taken\":true}\n{\"offset\":-1}\n{"), int64(3), int64(20))
	f.Add(bytes.Repeat([]byte("x"), 2*maxLine), int64(0), int64(1))
	f.Fuzz(func(t *testing.T, text []byte, from, to int64) {
		all := parseGaps(text)
		again := parseGaps([]byte(strings.Join(lines(all), "\n")))
		if !slices.Equal(all, again) {
			t.Errorf("wrote %+v, read %+v", all, again)
		}
		for i, gap := range all {
			if gap.Offset < 0 || gap.Bytes < 0 || i > 0 && all[i-1].Offset > gap.Offset {
				t.Errorf("gap %d is %+v", i, gap)
			}
			if strings.ContainsFunc(gap.Cause, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("control characters in a cause: %q", gap.Cause)
			}
		}
		for _, hole := range all.uncovered(max(0, from), to) {
			all.add(hole)
		}
		if rest := all.uncovered(max(0, from), to); len(rest) > 0 {
			t.Errorf("%+v is not in the gaps %+v", rest, all)
		}
	})
}

// lines returns the gaps as lines of the file.
func lines(all gaps) (text []string) {
	for _, gap := range all {
		text = append(text, fmt.Sprintf(`{"offset":%d,"bytes":%d,"cause":%q,"taken":%t,"folded":%d}`, gap.Offset, gap.Bytes, gap.Cause, gap.Taken, gap.Folded))
	}
	return text
}

// A snapshot copies what exists of a range, and returns what is missing.
func FuzzCopy(f *testing.F) {
	f.Add(int64(0), int64(40), int64(5), uint8(1))
	f.Add(int64(-3), int64(1)<<62, int64(0), uint8(3))
	f.Fuzz(func(t *testing.T, start, end, cut int64, which uint8) {
		dir := t.TempDir()
		var whole []byte
		for n := range 4 {
			text := bytes.Repeat([]byte{byte('a' + n)}, 10)
			if err := os.WriteFile(segment{start: int64(len(whole)), boot: n}.path(dir), text, 0o600); err != nil {
				t.Fatal(err)
			}
			whole = append(whole, text...)
		}
		snapshot, err := TakeSnapshot(dir)
		if err != nil {
			t.Fatal(err)
		}
		start, end = max(0, start), min(int64(len(whole)), end)
		here := snapshot.segments[which%4]
		cut = max(0, min(10, cut))
		if err := os.Truncate(here.path(dir), cut); err != nil { // after the snapshot
			t.Fatal(err)
		}
		var text bytes.Buffer
		err = snapshot.Copy(&text, start, end)
		missing := int64(0)
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			for _, err := range joined.Unwrap() {
				var gap *GapError
				if !errors.As(err, &gap) {
					t.Fatal(err)
				}
				missing += gap.To - gap.From
			}
		}
		want := max(0, min(end, here.end())-max(start, here.start+cut))
		if missing != want || int64(text.Len()) != max(0, end-start)-missing {
			t.Errorf("%d bytes, %v; want %d to be missing", text.Len(), err, want)
		}
	})
}
