package relay

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// poller requests the status of a relay or a QEMU again and again.
type poller struct {
	asks   string
	here   sync.WaitGroup
	mu     sync.Mutex
	took   []time.Duration
	faults []error
}

// pollRelay polls a relay until ctx ends. It is an error if a running relay does not answer.
func pollRelay(ctx context.Context, relay *relayProcess, names []string) *poller {
	w := &poller{asks: "GET /status"}
	for _, name := range names {
		client := controlClient(relay.t, name)
		w.here.Go(func() {
			for pause(ctx, ctx, 5*time.Millisecond) {
				up := relay.awaitUp(ctx)
				begin := time.Now()
				_, err := readStatus(client)
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

// report logs the times of the answers.
func (w *poller) report(t *testing.T) {
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

// pollQEMU polls a QEMU until ctx ends.
func pollQEMU(ctx context.Context, qemu *qmpConn) *poller {
	w := &poller{asks: "query-status"}
	w.here.Go(func() {
		for pause(ctx, ctx, 5*time.Millisecond) {
			begin := time.Now()
			if err := qemu.execute(w.asks); err != nil {
				w.faults = append(w.faults, err)
				return
			}
			w.took = append(w.took, time.Since(begin))
		}
	})
	return w
}
