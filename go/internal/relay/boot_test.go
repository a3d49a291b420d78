package relay

import (
	"path/filepath"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
)

// Boots of machines that nobody tells of: each begins with its first byte.
func TestOwnBoots(t *testing.T) {
	b := startWith(t, func(c *Config) { c.OwnBoots = true })
	b.relay.Gone()
	for boot := range int64(3) {
		for deadline := time.Now().Add(hangLimit); b.relay.own.Load() != ownNext; time.Sleep(time.Millisecond) {
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

// Who asks for a stream before anything was ever printed gets the first boot from
// its first byte.
func TestStreamBeforeTheFirstBoot(t *testing.T) {
	b := startWith(t, func(c *Config) {
		c.Journal.Close()
		var err error
		if c.Journal, err = journal.Open(filepath.Join(c.Dir, "fresh"), journal.DefaultRetention); err != nil {
			t.Fatal(err)
		}
		c.OwnBoots = true
	})
	b.relay.Gone()
	for _, from := range []string{"start", "now", "-5", "0"} {
		stream, err := b.relay.Stream(t.Context(), ctl.StreamRequest{From: from})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		if _, err := b.relay.Stream(t.Context(), ctl.StreamRequest{Boot: -1}); err == nil {
			t.Error("there is a boot before the first one")
		}
		defer b.expect(stream, 0, 10)
	}
	b.print(0, 10)
}
