package tests

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// crowd are clients that come and go.
type crowd struct {
	lanes []*lane
	here  sync.WaitGroup
}

// comeAndGo has so many clients at once come and go, until ctx ends. begins is where
// the boot does, in each channel's journal; -1: its lines tell.
func comeAndGo(ctx context.Context, relay *served, names []string, begins int64, lanes int) *crowd {
	c := &crowd{}
	journals := map[string]*kept{}
	for _, name := range names {
		journals[name] = newKept(relay.t, name)
	}
	for number := range lanes {
		l := newLane(relay, number, names, journals, begins)
		c.lanes = append(c.lanes, l)
		c.here.Go(func() { l.run(ctx) })
	}
	return c
}

// report waits until all have gone, and tells what they have got.
func (c *crowd) report(t *testing.T) {
	t.Helper()
	c.here.Wait()
	type sum struct {
		visits, cut int
		bytes       int64
	}
	kinds := map[string]*sum{}
	for number, l := range c.lanes {
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

// watcher asks a relay, or a QEMU, again and again how it is.
type watcher struct {
	asks   string
	here   sync.WaitGroup
	mu     sync.Mutex
	took   []time.Duration
	faults []error
}

// watchRelay asks until ctx ends: a relay that is up has to answer.
func watchRelay(ctx context.Context, relay *served, names []string) *watcher {
	w := &watcher{asks: "GET /status"}
	for _, name := range names {
		client := asking(relay.t, name)
		w.here.Go(func() {
			for sleep(ctx, ctx, 5*time.Millisecond) {
				up := relay.await(ctx)
				begin := time.Now()
				_, err := ask(client)
				took := time.Since(begin)
				w.mu.Lock()
				switch {
				case err == nil:
					w.took = append(w.took, took)
				case up.Err() == nil:
					w.faults = append(w.faults, err)
				}
				w.mu.Unlock()
			}
		})
	}
	return w
}

// report tells how long the answers took.
func (w *watcher) report(t *testing.T) {
	t.Helper()
	w.here.Wait()
	for _, fault := range w.faults {
		t.Errorf("%s: %v", w.asks, fault)
	}
	if len(w.took) == 0 {
		t.Fatalf("%s: no answer", w.asks)
	}
	slices.Sort(w.took)
	at := func(percent int) time.Duration {
		return w.took[(len(w.took)-1)*percent/100].Round(10 * time.Microsecond)
	}
	t.Logf("%s: %d answers, p50 %v, p99 %v, at most %v", w.asks, len(w.took), at(50), at(99), at(100))
}
