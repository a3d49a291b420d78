package relay

import (
	"context"
	"sync"
	"testing"
)

// clientGroup is a group of series of clients that run at once.
type clientGroup struct {
	series []*clientSeries
	here   sync.WaitGroup
}

// startClients runs number series of clients at once, until ctx ends. begins is the offset of
// the boot in the journal of each channel; -1 means to find it by its lines.
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

// report waits for the end of all series, and logs what their clients have received.
func (c *clientGroup) report(t *testing.T) {
	t.Helper()
	c.here.Wait()
	type sum struct {
		connections, cut int
		bytes            int64
	}
	kinds := map[string]*sum{}
	for number, l := range c.series {
		for _, fault := range l.faults {
			t.Errorf("client %d of %s, %s, %s: %v", number, l.name, l.kind, l.habit, fault)
		}
		if l.bytes == 0 && l.habit != deaf { // the connection of a client that does not read may end before the first byte
			t.Errorf("client %d of %s, %s, %s: nothing received in %d connections", number, l.name, l.kind, l.habit, l.connections)
		}
		for _, key := range []string{"in all", l.kind, l.habit} {
			if kinds[key] == nil {
				kinds[key] = &sum{}
			}
			kinds[key].connections += l.connections
			kinds[key].cut += l.cut
			kinds[key].bytes += l.bytes
		}
	}
	for _, key := range []string{"in all", "unix", "tcp", "stream", "fifo", leaves, stays, deaf, slow, stopped, gone} {
		if s := kinds[key]; s != nil {
			t.Logf("clients, %s: %d connections, %d of them cut off, %.1f MB", key, s.connections, s.cut, float64(s.bytes)/1e6)
			if s.bytes == 0 {
				t.Errorf("clients, %s: nothing received", key)
			}
		}
	}
}
