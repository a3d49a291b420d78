package accel

import "testing"

// A wrong rate makes the guest's clock drift or its boot hang. The bounds, 100 MHz and 10 GHz,
// hold for any processor.
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
