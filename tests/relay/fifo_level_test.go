package relay

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// fifoLevel observes the number of bytes in the FIFO of a channel, which the relay has not read.
// QEMU drops the output of hvc0 while the FIFO is full.
type fifoLevel struct {
	here      sync.WaitGroup
	name      string
	now, most atomic.Int32
	found     []int32 // bytes in the FIFO when the relay was about to be killed
	fault     error
}

// fifoHolds is the size of the FIFO of a channel in bytes.
const fifoHolds = 1 << 20

// watchFIFO observes the FIFO of a channel until ctx ends.
func watchFIFO(ctx context.Context, t *testing.T, name string) *fifoLevel {
	f := &fifoLevel{name: name}
	fifo, err := os.OpenFile(privatePath(t, name, "vm.out"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if f.fault = err; err != nil {
		return f
	}
	f.here.Go(func() {
		defer fifo.Close()
		for pause(ctx, ctx, time.Millisecond) {
			f.now.Store(bytesInFIFO(fifo))
			f.most.Store(max(f.most.Load(), f.now.Load()))
		}
		f.now.Store(0)
	})
	return f
}

// await waits until half of the FIFO is free, which it nearly always is.
func (f *fifoLevel) await() {
	f.found = append(f.found, f.now.Load())
	for late := time.Now().Add(harness.WaitLimit); f.now.Load() > fifoHolds/2 && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
}

// report logs how full the FIFO was. A full FIFO is an error: the relay was down for too long.
func (f *fifoLevel) report(t *testing.T) {
	t.Helper()
	if f.here.Wait(); f.fault != nil {
		t.Error(f.fault)
	}
	t.Logf("%s: at most %d bytes in the FIFO", f.name, f.most.Load())
	if slices.Sort(f.found); len(f.found) > 0 {
		atOnce, _ := slices.BinarySearch(f.found, fifoHolds/2+1)
		t.Logf("%s: before a kill, %d bytes (median) and at most %d; %d of %d kills were delayed",
			f.name, f.found[len(f.found)/2], f.found[len(f.found)-1], len(f.found)-atOnce, len(f.found))
	}
	if f.most.Load() > fifoHolds-64<<10 {
		t.Errorf("%s: the FIFO was full: this machine is too busy to restart a relay in time", f.name)
	}
}
