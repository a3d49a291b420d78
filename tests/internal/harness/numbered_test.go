package harness

import (
	"testing"
)

func TestTally(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                         string
		text                         string
		missing, repeated, misplaced int
	}{
		{"all", "3\r\n4\r\n5\r\n6\r\n", 0, 0, 0},
		{"none", "", 4, 0, 0},
		{"one is missing", "3\r\n5\r\n6\r\n", 1, 0, 0},
		{"two are merged", "3\r\n4\r\n5\r6\r\n", 2, 0, 1},
		{"one lacks its carriage return", "3\r\n4\n5\r\n6\r\n", 1, 0, 1},
		{"a repeated line", "3\r\n4\r\n4\r\n5\r\n6\r\n", 0, 1, 0},
		{"two are swapped", "3\r\n5\r\n4\r\n6\r\n", 0, 0, 1},
		{"a number out of range", "3\r\n4\r\n5\r\n6\r\n7\r\n", 0, 0, 1},
		{"something else", "3\r\n4\r\nlogin: 5\r\n6\r\n", 1, 0, 1},
	} {
		missing, repeated, misplaced := countLines([]byte(row.text), 3, 6)
		if missing != row.missing || repeated != row.repeated || len(misplaced) != row.misplaced {
			t.Errorf("%s: missing %d, repeated %d, misplaced %q", row.name, missing, repeated, misplaced)
		}
	}
}

func TestLinesBytes(t *testing.T) {
	t.Parallel()
	for last, want := range map[int]int64{0: 0, 1: 3, 9: 27, 10: 31, 100: 27 + 90*4 + 5, 123: 27 + 90*4 + 24*5} {
		if got := LinesBytes(last); got != want {
			t.Errorf("%d lines: %d bytes, want %d", last, got, want)
		}
	}
}
