package accel

import "testing"

// A wrong rate makes a guest's clock drift, or hangs its boot. The bounds are
// those of any processor: 100 MHz to 10 GHz.
func TestTSCKHzIsPlausibleAndSteady(t *testing.T) {
	first, second := TSCKHz(), TSCKHz()
	for _, rate := range []int{first, second} {
		if rate < 100_000 || rate > 10_000_000 {
			t.Errorf("%d kHz", rate)
		}
	}
	if off := max(first-second, second-first); off > first/20 {
		t.Errorf("%d kHz, and then %d kHz", first, second)
	}
}
