package main

import (
	"testing"
	"time"

	"microvm-console/internal/journal"
)

func TestSameBoot(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
	}
	boot := func(number int, started, ended float64) journal.Boot {
		b := journal.Boot{Number: number, Started: at(started)}
		if ended > 0 {
			b.Ended = at(ended)
		}
		return b
	}
	three := []journal.Boot{boot(1, 0.1, 1), boot(2, 2.1, 3), boot(3, 4.1, 5)}
	for _, test := range []struct {
		name   string
		boot   journal.Boot
		others []journal.Boot
		want   int // 0: none
	}{
		{"the first of several within seconds", boot(7, 0, 1.1), three, 1},
		{"the second", boot(8, 2, 3.1), three, 2},
		{"the last, which runs", boot(9, 4, 0), three, 3},
		{"killed", boot(8, 2, 0), []journal.Boot{boot(1, 0.1, 0), boot(2, 2.1, 0), boot(3, 4.1, 0)}, 2},
		{"before the console was added", boot(7, 0, 1.1), three[1:], 0},
		{"after the console was removed", boot(8, 2, 3.1), three[:1], 0},
		{"killed, long before the console was added", boot(7, 0, 0), []journal.Boot{boot(1, 60, 0)}, 0},
		{"of an unknown time", journal.Boot{Number: 1}, []journal.Boot{{Number: 1}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			same, found := sameBoot(test.boot, test.others)
			if same.Number != test.want || found != (test.want > 0) {
				t.Errorf("%v, boot %d, want %d", found, same.Number, test.want)
			}
		})
	}
}
