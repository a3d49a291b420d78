package relay

import (
	"context"
	"sync"
	"testing"
)

// clientGroup are clients that come and go.
type clientGroup struct {
	series []*clientSeries
	here   sync.WaitGroup
}

// startClients has so many clients at once come and go, until ctx ends. begins is where
// the boot does, in each channel's journal; -1: its lines tell.
func startClients(ctx context.Context, relay *relayProcess, names []string, begins int64, lanes int) *clientGroup {
	c := &clientGroup{}
	journals := map[string]*journalFiles{}
	for _, name := range names {
		journals[name] = openJournal(relay.t, name)
	}
	for number := range lanes {
		l := newClientSeries(relay, number, names, journals, begins)
		c.series = append(c.series, l)
		c.here.Go(func() { l.run(ctx) })
	}
	return c
}

// report waits until all have gone, and tells what they have got.
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
			t.Errorf("client lane %d of %s, %s, %s: %v", number, l.name, l.kind, l.habit, fault)
		}
		if l.bytes == 0 && l.habit != deaf { // who reads nothing may have been cut off before a byte came
			t.Errorf("client lane %d of %s, %s, %s: not a byte in %d visits", number, l.name, l.kind, l.habit, l.visits)
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
