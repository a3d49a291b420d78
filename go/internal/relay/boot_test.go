package relay

import (
	"testing"
	"time"
)

// Boots of machines that nobody tells of: each begins with its first byte.
func TestOwnBoots(t *testing.T) {
	b := startWith(t, func(c *Config) { c.OwnBoots = true })
	b.relay.Gone()
	for boot := range int64(3) {
		for deadline := time.Now().Add(hangLimit); !b.relay.next.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no boot is expected")
			}
		}
		if boot > 0 { // a machine that is seen before it prints
			b.relay.Attach(true)
		}
		b.print(10, 20) // 80 bytes
		b.await(80 * (boot + 1))
		b.relay.Attach(false)
		b.relay.Gone()
		if start, end, err := b.relay.Journal().BootRange(0); err != nil || start != 80*boot || end != 80*(boot+1) {
			t.Fatalf("boot %d lies from %d to %d, %v", boot, start, end, err)
		}
	}
}
