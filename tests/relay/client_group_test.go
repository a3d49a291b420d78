package relay

import (
	"context"
	"sync"
	"testing"
)

// clientGroup is a number of series of clients that run at once.
type clientGroup struct {
	series []*clientSeries
	here   sync.WaitGroup
}

// startClients runs many series of clients at once, until ctx ends. begins is the offset at
// which the boot begins in the journal of each channel; -1: it is found by its lines.
func startClients(ctx context.Context, relay *relayProcess, names []string, begins int64, number int) *clientGroup {
	c := &clientGroup{}
	journals := map[string]*journalFiles{}
	for _, name := range names {
		journals[name] = openJournal(relay.t, name)
	}
	for i := range number {
		l := newClientSeries(relay, i, names, journals, begins)
		c.series = append(c.series, l)
		c.here.Go(func() { l.run(ctx) })
	}
	return c
}

// report waits for the end of all series, and logs what their clients have got.
func (c *clientGroup) report(t *testing.T) {
	t.Helper()
	c.here.Wait()
	type sum struct {
		visits, cut int
		bytes       int64
	}
	kinds := map[string]*sum{}
	for number, l := range c.series {
		for _, fault := range l.faults {
			t.Errorf("client %d of %s, %s, %s: %v", number, l.name, l.kind, l.habit, fault)
		}
		if l.bytes == 0 && l.habit != deaf { // one that reads nothing may have been cut off before a byte came
			t.Errorf("client %d of %s, %s, %s: not a byte in %d visits", number, l.name, l.kind, l.habit, l.visits)
		}
		for _, key := range []string{"in all", l.kind, l.habit} {
			if kinds[key] == nil {
				kinds[key] = &sum{}
			}
			kinds[key].visits += l.visits
			kinds[key].cut += l.cut
			kinds[key].bytes += l.bytes
		}
	}
	for _, key := range []string{"in all", "unix", "tcp", "stream", "fifo", leaves, stays, deaf, slow, stopped, gone} {
		if s := kinds[key]; s != nil {
			t.Logf("clients, %s: %d visits, %d of them cut off, %.1f MB", key, s.visits, s.cut, float64(s.bytes)/1e6)
			if s.bytes == 0 {
				t.Errorf("clients, %s: not a byte", key)
			}
		}
	}
}
