package attach

import (
	"context"
	"fmt"
	"time"

	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
)

// qemuInterval is the pause between two queries for the state of a channel's QEMU.
const qemuInterval = time.Second

// qemuWatch prints a notice when the QEMU of a channel ends. The stream of a channel does not
// end then.
type qemuWatch struct {
	notices notices
	next    string // the end of the notice: what happens next
	running bool   // at the last query
	ended   bool   // QEMU has ended, but its exit cause was not recorded yet
}

// run queries the relay until ctx is done.
func (w *qemuWatch) run(ctx context.Context, t follow.Target) error {
	w.running = t.Console.Relay.Attached
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(qemuInterval):
		}
		status, err := t.Client.ChannelStatus(ctx)
		if err != nil {
			continue // the stream notices the end of the relay
		}
		relay := status.Consoles[0].Relay
		w.update(relay.Attached, func() string { return exitCause(relay.Journal) })
	}
}

// update records whether QEMU runs. Its launcher records the cause a moment after the end, so
// without a cause the notice waits for the next call.
func (w *qemuWatch) update(running bool, cause func() string) {
	was, late := w.running, w.ended
	w.running, w.ended = running, false
	if running || !was && !late {
		return
	}
	text := "QEMU has ended"
	if how := cause(); how != "" {
		text = "QEMU ended: " + how
	} else if !late {
		w.ended = true
		return
	}
	w.notices.say("%s; %s", text, w.next)
}

// exitCause returns how the newest boot of the journal in dir ended; "" if that is unknown.
func exitCause(dir string) string {
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		return ""
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		return ""
	}
	return boot.How
}

// waiting returns what a session that stays does after an end.
func waiting(escape Key) string {
	return fmt.Sprintf("waiting for its next start (%v leaves)", escape)
}
