package accel

import "time"

// rdtsc reads the processor's time stamp counter.
func rdtsc() uint64

// tscWindow is how long the counter is measured: 20 ms give its rate to about one part in
// 100,000.
const tscWindow = 20 * time.Millisecond

// TSCKHz returns the rate of the host's time stamp counter, in kHz, measured against the
// monotonic clock. A guest under TCG sees the host's counter.
func TSCKHz() int {
	start, ticks := time.Now(), rdtsc()
	time.Sleep(tscWindow)
	ticks = rdtsc() - ticks
	return int(float64(ticks) / float64(time.Since(start).Nanoseconds()) * 1e6)
}
